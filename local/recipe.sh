# Sourced after the options are read: the stages that all recipes share, over $systems and $target.
#
# A recipe says what its data are, in functions that print:
#   pretraining SYSTEM [TARGET]  options of `unispeech pretrain`: settings, lang directory, manifests
#   finetuning TARGET    --train and --dev manifests
#   test_cuts TARGET     manifests to decode
#   lang_dir TARGET      lang directory of fine-tuning
# and, where they are set, $units that are learnt and $score_options of `unispeech score`.
. local/jobs.sh

export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((jobs > 1 || ngpu > 1 ? 1 : $(nproc)))}

at() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }

# each OPTION WORD...: the option before every word
each() {
  local option=$1 word
  shift
  for word in "$@"; do printf '%s\n' "$option" "$word"; done
}

# make_corpus CORPUS/PLACE [OPTION...]: the mini corpus that has $dl_dir as its PLACE
make_corpus() {
  local place=$1 out
  shift
  [[ "/$dl_dir" == */"$place" ]] || { echo "$0: with --mini true, --dl-dir ends in /$place: not $dl_dir" >&2; return 1; }
  out=${dl_dir%"$place"}
  python local/mini_corpora --out "${out:-.}" --corpora "${place%%/*}" --hours "$hours" --dev-minutes "$dev_minutes" \
    --test-minutes "$test_minutes" --seed "$seed" --jobs "$nj" "$@"
}

# the experiment in which a system learns a target
tuned() { echo "$exp/$1/$2${units:+-$units}"; } # tuned SYSTEM TARGET

# settings of fine-tuning: for a target of its own size where there are such; of NAME where NAME+ has none
tuning() { # tuning SYSTEM TARGET
  local file
  for file in "$conf/$1-$2-finetune.yaml" "$conf/$1-finetune.yaml" "$conf/${1%%+*}-finetune.yaml"; do
    [ ! -e "$file" ] || { echo "$file"; return; }
  done
  echo "$conf/$1-finetune.yaml"
}

# encoder SYSTEM [TARGET]: what a system is fine-tuned from; nothing where it is trained from scratch
encoder() { [ ! -e "$conf/$1-pretrain.yaml" ] || echo "$exp/$1/pretrain"; }

# launch COMMAND...: unispeech, with --ngpu N in N processes that train one model; 75 where it was told to stop
launch() {
  local code=0 told=
  if [ "$ngpu" -le 1 ]; then nice -n "${niceness:-0}" unispeech "$@"; return; fi
  told=$(mktemp -u)
  # without --redirects and --tee torchrun of torch 1.13 does not start on Python 3.11; its own code is always 1, and of
  # a SIGUSR1 that is meant for its processes it would die
  (
    trap '' USR1
    UNISPEECH_STOPPED=$told exec nice -n "${niceness:-0}" torchrun --standalone --nproc_per_node "$ngpu" \
      --redirects 9:1 --tee 9:1 -m unispeech_cli "$@"
  ) || code=$?
  [ ! -e "$told" ] || { rm "$told"; return 75; }
  return "$code"
}

# where trainings share the cores, what is trained from scratch goes before: it has the longest way to go
pretrain() { # pretrain SYSTEM [TARGET]
  niceness=$((jobs > 1 ? 5 : 0)) launch pretrain "$(encoder "$@")" --preset "$preset" $(pretraining "$@") --set "run.seed=$seed" --device "$device"
}

finetune() { # finetune SYSTEM TARGET
  launch finetune "$(tuned "$1" "$2")" --preset "$preset" --config "$(tuning "$1" "$2")" --lang-dir "$(lang_dir "$2")" \
    $(finetuning "$2") $(each --init $(encoder "$1" "$2")) --set "run.seed=$seed" --device "$device"
}

finetune_to_targets() { # finetune_to_targets SYSTEM
  local t
  for t in $target; do job "$jobs" "$1 $t" finetune "$1" "$t"; done
}

# the encoders that this recipe makes; what is trained from scratch has the time of fine-tuning as well
pretrain_systems() {
  local system pretrained=()
  for system in $systems; do
    case "$(encoder "$system")" in
      "$exp/$system/pretrain") job "$jobs" "$system" pretrain "$system"; pretrained+=("$system") ;;
      "") finetune_to_targets "$system" ;;
    esac
  done
  if at 4 && [ "${#pretrained[@]}" -gt 0 ]; then finish_jobs "${pretrained[@]}"; else finish_jobs; fi
}

# the encoders that hear the target's audio, one a target: systems with a +, after those that they go on from
pretrain_on_targets() {
  local system t
  for system in $systems; do
    [[ $system = *+* ]] || continue
    for t in $target; do job "$jobs" "$system $t" pretrain "$system" "$t"; done
    finish_jobs
  done
}

finetune_systems() {
  local system
  for system in $systems; do
    [ -z "$(encoder "$system")" ] || finetune_to_targets "$system"
  done
  finish_jobs
}

decode() { # decode SYSTEM TARGET
  unispeech decode "$(tuned "$1" "$2")" $(test_cuts "$2") --out "$(decoded "$1" "$2")" --lang-dir "$(lang_dir "$2")" \
    --device "$device"
}

# the directories to be scored, and those scored already
decoded() { echo "$(tuned "$1" "$2")/decode"; } # decoded SYSTEM TARGET
scored() { :; } # scored SYSTEM TARGET

decode_systems() {
  local system t
  for system in $systems; do
    for t in $target; do job "$jobs" "$system $t" decode "$system" "$t"; done
  done
  finish_jobs
}

score_systems() {
  local system t
  unispeech score ${score_options:-} $(for system in $systems; do for t in $target; do decoded "$system" "$t"; done; done)
}

# summary.json of the first target, summary-TARGET.json of the others
summarize_systems() {
  local t summary
  for t in $target; do
    summary=$exp/summary-$t.json
    [ "$t" != "${target%% *}" ] || summary=$exp/summary.json
    python local/summarize.py "$summary" --seed "$seed" \
      $(for system in $systems; do echo --system "$system" "$(tuned "$system" "$t")" $(decoded "$system" "$t") $(scored "$system" "$t"); done)
  done
}
