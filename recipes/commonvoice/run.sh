#!/usr/bin/env bash
# UniSpeech on CommonVoice: pre-train on labelled source languages, fine-tune on a little of each target, score.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

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
jobs=              # trainings at once; 3 with --mini, else 1
hours=en=1.2,it=0.042  # of the mini corpora
dev_minutes=3
test_minutes=6

help_message="Usage: $0 [--mini true | --dl-dir DIR --target LANGS] [--stage N --stop-stage M] [options]

Stages: -1 where to get the corpus, 0 mini corpora, 1 prepare, 2 phonemize, 3 pre-train (and train from scratch),
4 fine-tune, 5 decode, 6 score, 7 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

if $mini; then
  dl_dir=${dl_dir:-download/mini/commonvoice} target=${target:-it} conf=${conf:-recipes/commonvoice/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3}
fi
dl_dir=${dl_dir:-download/commonvoice} target=${target:-ky} conf=${conf:-recipes/commonvoice/conf/paper}
preset=${preset:-large} jobs=${jobs:-1}
. local/recipe.sh

cuts() { local part=$1 split=$2 l; shift 2; for l in "$@"; do echo "$data/$part/cv-${l}_cuts_$split.jsonl.gz"; done; }
pretraining() {
  echo "--config $conf/$1-pretrain.yaml --lang-dir $data/source/lang_phone"
  each --labeled $(cuts source train $source)
  each --unlabeled $(cuts manifests train $unlabeled)
  each --dev $(cuts source dev $source)
}
finetuning() { each --train $(cuts "$1" "$train_split" "$1"); each --dev $(cuts "$1" "$dev_split" "$1"); }
test_cuts() { cuts "$1" "$test_split" "$1"; }
lang_dir() { echo "$data/$1/lang_phone"; }

if at -1; then
  log "Stage -1: CommonVoice is given out by the Mozilla Data Collective; unpack it so that $dl_dir/<lang>/ holds the TSVs"
fi

if at 0 && $mini; then
  log "Stage 0: mini corpora"
  make_corpus commonvoice --languages "$(echo "$source $target" | tr ' ' ',')"
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" --jobs "$nj" $(each --language $source $target $unlabeled)
  for list in ${split_lists:+$(for l in $target; do ls "$split_lists/$l"/*.txt; done)}; do
    unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" --jobs "$nj" --language "$(basename "$(dirname "$list")")" --split-list "$list"
  done
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests train $source) $(cuts manifests dev $source) \
    --out "$data/source" --lang-dir "$data/source/lang_phone"
  for l in $target; do
    unispeech phonemize $(for s in "$train_split" "$dev_split" "$test_split"; do cuts manifests "$s" "$l"; done) \
      --out "$data/$l" --lang-dir "$(lang_dir "$l")"
  done
fi

if at 3; then
  log "Stage 3: pre-train; train from scratch what is not pre-trained"
  pretrain_systems
fi

if at 4; then
  log "Stage 4: fine-tune"
  finetune_systems
fi

if at 5; then
  log "Stage 5: decode"
  decode_systems
fi

if at 6; then
  log "Stage 6: score"
  score_systems
fi

if at 7; then
  log "Stage 7: summary"
  summarize_systems
fi
