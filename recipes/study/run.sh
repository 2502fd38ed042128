#!/usr/bin/env bash
# Does it work? The paper's comparisons as a list of cells, each of them resumable, and the tables made of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

stage=0
stop_stage=4
plan=reduced       # reduced or full: recipes/study/plan/; or a file
corpus=            # recorded speech in CommonVoice's layout; without it, synthetic speech is made
only=              # cells to run, "seed=1 system=unispeech,r0", and what they need
outcomes=          # "FILE ...": exp/study/NAME/outcomes.jsonl of other machines: what is in them is not run again
minutes=           # begin no piece of work after so many of them, and end with 75: the same command goes on
jobs=2             # cells at once, one thread each
piece_seconds=480  # a training stops, saves and goes on after so many
dry_run=false      # print how much there is to run and how long it takes, and do nothing
list=false         # print the cells, and do nothing
speed=             # until some were measured: seconds of audio a second of trainings, seconds of one other run
seeds=             # in place of the plan's
targets=           # in place of the plan's
folds=             # of recorded targets, those to be tested on
parts=5            # that the clips of a recorded target are dealt into, no speaker in two of them
unlabeled=         # languages that NAME+ hears; the target, of recorded speech all but English
name=              # synthetic, or that of the corpus
data=              # data/study/NAME
exp=               # exp/study/NAME
conf=              # {pretrain,continue,finetune,scratch}.yaml, contrastive{,-continue,-finetune}.yaml; systems.yaml is above it
preset=tiny
device=cpu
nj=2               # processes that make and prepare corpora
transcode=         # true makes 16 kHz FLAC copies; true of synthetic speech
download=          # where synthetic speech is made: download/study
hours=0.5          # of synthetic training speech, a language
dev_minutes=4
test_minutes=10
corpus_seed=1
voice_seconds=     # training speech that a synthetic speaker has, 30 by default: less of it is more speakers
tracts=            # lengths of their vocal tracts, LOW,HIGH
snr=               # decibels of their speech over noise, LOW,HIGH
rooms=             # share of them heard in a room
librispeech=       # corpora of the part from LibriSpeech to TED-LIUM; synthetic ones where there is no --corpus
tedlium=
librispeech_splits="train-clean-5 dev-clean-2 test-clean"

help_message="Usage: $0 [--plan reduced|full] [--corpus DIR] [--only CELLS] [--minutes N] [--dry-run true] [options]

Stages: 0 synthetic corpora, 1 prepare, 2 phonemize, 3 the cells: trainings, decoding, scoring, analysis, 4 tables.
Options and what they are by default: the head of $0"
. local/parse_options.sh

[ -e "$plan" ] || plan=recipes/study/plan/$plan.yaml
speed=${speed:-pretrain=80 continue=80 finetune=100 scratch=100 decode=10 score=5 analyze=20}
languages=
if [ -n "$corpus" ]; then
  name=${name:-$(basename "$corpus")} conf=${conf:-recipes/study/conf/recorded} transcode=${transcode:-false}
  folds=${folds:-$(seq -s ' ' "$parts")}
  languages=$(cd "$corpus" && for l in */validated.tsv; do l=${l%/*}; echo "${l%%-*}"; done | xargs)
  unlabeled=${unlabeled:-$(echo " $languages " | sed 's/ en / /' | xargs)}
  languages="$languages ${librispeech:+librispeech} ${tedlium:+tedlium}" speech="Recorded speech: $name"
else
  name=${name:-synthetic} conf=${conf:-recipes/study/conf/mini} transcode=${transcode:-true} download=${download:-download/study}
  librispeech=${librispeech:-$download/librispeech/LibriSpeech} tedlium=${tedlium:-$download/tedlium3/TEDLIUM_release-3}
  folds= speech="Synthetic speech (espeak-ng)"
fi
data=${data:-data/study/$name} exp=${exp:-exp/study/$name} ngpu=1 systems=
. local/recipe.sh
. local/cells.sh
. local/study/manifests.sh
export OMP_NUM_THREADS=1

study() { # study COMMAND [OPTION...]
  local command=$1
  shift
  python local/study "$command" "$plan" --conf "$conf" --exp "$exp" --data "$data" --seeds "$seeds" --targets "$targets" \
    --folds "$folds" --unlabeled "$unlabeled" --outcomes "$outcomes" --languages "$languages" --options "$preset $parts" "$@"
}
# fields NAME...: their values in the cells that are to be run, each once
fields() { grep -oE " ($(IFS='|'; echo "$*"))=[^ ]+" <<<"$cells" | sed 's/[^=]*=//' | sort -u; }
each_language() { fields "$@" | tr '+' '\n' | sort -u; }
of_commonvoice() { each_language source hears target | grep -vx 'librispeech\|tedlium' || true; }
trained() { piece unispeech "$1" "$exp/$id" --preset "$preset" --config "$conf/$settings.yaml" --set "run.seed=$seed" --device "$device" "${@:2}"; }

# pretrained SYSTEM [OPTION...]: on the source's audio, of which contrast alone gets no labels
pretrained() {
  local of=$1 folder labels=--labeled
  folder=$(made_of "$source" "$vocab")
  [ "$of" != contrastive ] || labels=--unlabeled
  trained pretrain --lang-dir "$data/$folder/lang_phone" $(each --set ${sets//,/ }) \
    $(each "$labels" $(cuts "$folder" train ${source//+/ })) $(each --dev $(cuts "$folder" dev ${source//+/ })) "${@:2}"
}
run_pretrain() { pretrained "$system"; }
run_continue() { # the source's audio once more, and with it what NAME+ hears without labels
  pretrained "${system%%+*}" --init "$exp/$init" $([ "$hears" = "$source" ] || each --unlabeled $(heard))
}
run_finetune() {
  trained finetune --lang-dir "$data/$(made_of "$target" "$vocab")/lang_phone" $(each --train $(tuned_on train)) \
    $(each --dev $(tuned_on dev)) ${init:+--init "$exp/$init"}
}
run_decode() {
  unispeech decode "$exp/$init" $(tuned_on test) --out "$exp/$id" --lang-dir "$data/$(made_of "$target" "$vocab")/lang_phone" --device "$device"
}
run_score() { unispeech score "$exp/${id%/*}" >/dev/null; }
run_analyze() {
  unispeech analyze "$exp/$init" $(cuts "$(made_of "$source" "$vocab")" test ${source//+/ }) --alignment-from "$exp/$aligner" \
    --out "$exp/$id" --device "$device" >/dev/null
}

cells=$(study cells --only "$only")
if $list; then printf '%s\n' "$cells"; exit; fi
if $dry_run; then exec 3>&1; else exec 3>&2; fi
study forecast --only "$only" --jobs "$jobs" --speed "$speed" >&3
! $dry_run || exit 0
# also where only some cells are run: what a fold's systems hear does not depend on it
tested=$(cells=$(study cells) && each_language target)

if at 0 && [ -z "$corpus" ]; then
  log "Stage 0: synthetic corpora"
  python local/mini_corpora --out "$download" --languages "$({ echo en; of_commonvoice; } | sort -u | paste -sd ,)" \
    --corpora "commonvoice$(each_language source hears target | sed -n 's/^librispeech$/,librispeech/p; s/^tedlium$/,tedlium3/p' | tr -d '\n')" \
    --hours "$hours" --dev-minutes "$dev_minutes" --test-minutes "$test_minutes" --seed "$corpus_seed" --jobs "$nj" \
    ${voice_seconds:+--voice-seconds "$voice_seconds"} ${tracts:+--tracts "$tracts"} \
    ${snr:+--snr "$snr"} ${rooms:+--rooms "$rooms"}
fi

prepare() { unispeech prepare "$@" --out "$data/manifests" --jobs "$nj" $(! $transcode || echo --transcode); }
if at 1; then
  log "Stage 1: prepare"
  for l in $(each_language source hears target); do
    case "$l" in
      librispeech) prepare librispeech "$librispeech" ;;
      tedlium) prepare tedlium3 "$tedlium" ;;
    esac
  done
  if [ -z "$corpus" ]; then
    [ -z "$(of_commonvoice)" ] || prepare commonvoice "$download/commonvoice" $(each --language $(of_commonvoice))
  else
    sources=$(each_language source | grep -vx librispeech || true)
    [ -z "$sources" ] || prepare commonvoice "$corpus" $(each --language $sources)
    others=$(each_language hears | grep -vxF "$(each_language source; echo "$tested")" || true)
    [ -z "$others" ] || prepare commonvoice "$corpus" --splits validated $(each --language $others)
    for l in $(grep -xF "$(each_language hears target)" <<<"$tested"); do
      python local/study folds "$corpus" "$l" --number "$parts" --out "$data/folds/$l"
      for s in $(all_parts); do prepare commonvoice "$corpus" --language "$l" --split-list "$data/folds/$l/$s.txt"; done
    done
  fi
fi

# phonemize LANGUAGES VOCAB SPLIT...
phonemize() {
  local folder joined=$1 v=$2
  folder=$(made_of "$1" "$2")
  shift 2
  unispeech phonemize $(for s in "$@"; do cuts manifests "$s" ${joined//+/ }; done) --out "$data/$folder" \
    --lang-dir "$data/$folder/lang_phone" $([[ "$joined" != *+* ]] || echo "--vocab $v")
}
# take SIZE LANGUAGE FOLDER: so many minutes of its training cuts
take() {
  local all corpus
  all=$(cuts "$3" train "$2") corpus=${all##*/}
  python local/subset.py "$data/$3" "${corpus%%_cuts_*}" "$1" "$all"
}
if at 2; then
  log "Stage 2: phonemize"
  for of in $(sed -n 's/.* source=\([^ ]\+\) vocab=\([^ ]*\) .*/\1:\2/p' <<<"$cells" | sort -u); do
    phonemize "${of%:*}" "${of#*:}" train dev test
  done
  for of in $(sed -n 's/.* vocab=\([^ ]*\) .* target=\([^ ]\+\) .*/\2:\1/p' <<<"$cells" | sort -u); do
    phonemize "${of%:*}" "${of#*:}" $(target_splits)
  done
  for of in $(sed -n 's/.* vocab=\([^ ]*\) .* target=\([^ ]\+\) labels=\([^ ]\+\) .*/\2:\1:\3/p' <<<"$cells" | sort -u); do
    IFS=: read -r joined v size <<<"$of"
    [ "$size" = all ] || for l in ${joined//+/ }; do take "$size" "$l" "$(made_of "$joined" "$v")"; done
  done
fi

code=0
if at 3; then
  log "Stage 3: the cells"
  # once more: what is done is known by the manifests, too
  cells=$(study cells --only "$only")
  [ -z "$cells" ] || run_cells <<<"$cells" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 75 ] || exit "$code"
fi

if at 4; then
  log "Stage 4: tables"
  study table --speech "$speech"
fi
exit "$code"
