#!/usr/bin/env bash
# UniSpeech on CommonVoice: pre-train on labelled source languages, fine-tune on a little of each target, score.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh
. local/jobs.sh

stage=0
stop_stage=7
mini=false         # synthetic corpora and settings that fit two cores
dl_dir=            # holds <lang>/ of a release, or is a link to such a folder
data=data/commonvoice
exp=exp
source=en          # languages whose labels pre-train, "en es fr it"
target=            # languages to fine-tune on, "ky nl"
unlabeled=         # languages whose audio pre-trains too, without labels
systems="unispeech ctc-transfer scratch"
conf=              # <system>-{pretrain,finetune}.yaml
preset=
train_split=train  # of the targets; a split list's name where --split-lists is given
dev_split=dev
test_split=test
split_lists=       # holds <lang>/*.txt, one clip a line: more splits of the targets
seed=1
device=cpu
nj=2               # processes of prepare
jobs=1             # trainings at once
hours=en=0.9,it=0.09  # of the mini corpora

help_message="Usage: $0 [--mini true | --dl-dir DIR --target LANGS] [--stage N --stop-stage M] [options]

Stages: -1 where to get the corpus, 0 mini corpora, 1 prepare, 2 phonemize, 3 pre-train (and train from scratch),
4 fine-tune, 5 decode, 6 score, 7 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

if $mini; then
  dl_dir=${dl_dir:-download/mini/commonvoice} target=${target:-it} conf=${conf:-recipes/commonvoice/conf/mini}
  preset=${preset:-tiny} jobs=3
fi
dl_dir=${dl_dir:-download/commonvoice} target=${target:-ky} conf=${conf:-recipes/commonvoice/conf/paper} preset=${preset:-large}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((jobs > 1 ? 1 : $(nproc)))}

cuts() { echo "$data/$1/cv-$2_cuts_$3.jsonl.gz"; }                    # cuts PART LANG SPLIT
each() { local o=$1 p=$2 s=$3 l; shift 3; for l in "$@"; do printf '%s\n%s\n' "$o" "$(cuts "$p" "$l" "$s")"; done; }
at() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }

if at -1; then
  log "Stage -1: CommonVoice is given out by the Mozilla Data Collective; unpack it so that $dl_dir/<lang>/ holds the TSVs"
fi

if at 0 && $mini; then
  log "Stage 0: mini corpora"
  python local/mini_corpora --out "$(dirname "$dl_dir")" --corpora commonvoice --hours "$hours" --seed "$seed" --jobs "$nj" \
    --languages "$(echo "$source $target" | tr ' ' ',')"
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" --jobs "$nj" $(printf -- '--language %s ' $source $target $unlabeled)
  for list in ${split_lists:+$(for l in $target; do ls "$split_lists/$l"/*.txt; done)}; do
    unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" --jobs "$nj" --language "$(basename "$(dirname "$list")")" --split-list "$list"
  done
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(for l in $source; do cuts manifests "$l" train; cuts manifests "$l" dev; done) \
    --out "$data/source" --lang-dir "$data/source/lang_phone"
  for l in $target; do
    unispeech phonemize $(for s in "$train_split" "$dev_split" "$test_split"; do cuts manifests "$l" "$s"; done) \
      --out "$data/$l" --lang-dir "$data/$l/lang_phone"
  done
fi

pretrain() {  # pretrain SYSTEM
  unispeech pretrain "$exp/$1/pretrain" --lang-dir "$data/source/lang_phone" --preset "$preset" --config "$conf/$1-pretrain.yaml" \
    $(each --labeled source train $source) $(each --unlabeled manifests train $unlabeled) $(each --dev source dev $source) \
    --set "run.seed=$seed" --device "$device"
}
finetune() {  # finetune SYSTEM LANG [--init DIR]
  local system=$1 l=$2; shift 2
  unispeech finetune "$exp/$system/$l" --lang-dir "$data/$l/lang_phone" --preset "$preset" --config "$conf/$system-finetune.yaml" \
    --train "$(cuts "$l" "$l" "$train_split")" --dev "$(cuts "$l" "$l" "$dev_split")" --set "run.seed=$seed" --device "$device" "$@"
}

if at 3; then
  log "Stage 3: pre-train; train from scratch what is not pre-trained"
  for system in $systems; do
    if [ -e "$conf/$system-pretrain.yaml" ]; then
      job "$jobs" "$system" pretrain "$system"
    else
      for l in $target; do job "$jobs" "$system $l" finetune "$system" "$l"; done
    fi
  done
  finish_jobs
fi

if at 4; then
  log "Stage 4: fine-tune"
  for system in $systems; do
    [ -e "$conf/$system-pretrain.yaml" ] || continue
    for l in $target; do job "$jobs" "$system $l" finetune "$system" "$l" --init "$exp/$system/pretrain"; done
  done
  finish_jobs
fi

if at 5; then
  log "Stage 5: decode"
  for system in $systems; do for l in $target; do
    unispeech decode "$exp/$system/$l" "$(cuts "$l" "$l" "$test_split")" --out "$exp/$system/$l/decode" --lang-dir "$data/$l/lang_phone" --device "$device"
  done; done
fi

if at 6; then
  log "Stage 6: score"
  unispeech score $(for system in $systems; do for l in $target; do echo "$exp/$system/$l/decode"; done; done)
fi

if at 7; then
  log "Stage 7: summary"
  for l in $target; do
    summary=$exp/summary.json; [ "$l" = "${target%% *}" ] || summary=$exp/summary-$l.json
    python local/summarize.py "$summary" --seed "$seed" $(for system in $systems; do echo "--system $system $exp/$system/$l $exp/$system/$l/decode"; done)
  done
fi
