#!/usr/bin/env bash
# UniSpeech on LibriSpeech: pre-train on its labels, fine-tune on a small part of them, score phones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

stage=0
stop_stage=7
mini=false         # synthetic corpus and settings that fit two cores
dl_dir=            # holds train-clean-100/ and so on, or is a link to such a folder
data=data/librispeech
exp=exp/librispeech
train_parts=       # parts whose labels pre-train
dev_parts=
test_parts=
target=            # parts to fine-tune on, each for itself
systems="unispeech ctc-transfer scratch"
conf=              # <system>-{pretrain,finetune}.yaml
preset=
seed=1
device=cpu
nj=2               # processes of prepare
jobs=              # trainings at once; 3 with --mini, else 1
hours=0.6          # of the mini corpus
dev_minutes=2
test_minutes=4

help_message="Usage: $0 [--mini true | --dl-dir DIR] [--stage N --stop-stage M] [options]

Stages: -1 where to get the corpus, 0 mini corpus, 1 prepare, 2 phonemize, 3 pre-train (and train from scratch),
4 fine-tune, 5 decode, 6 score, 7 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

if $mini; then
  dl_dir=${dl_dir:-download/mini/librispeech/LibriSpeech} train_parts=${train_parts:-train-clean-5} dev_parts=${dev_parts:-dev-clean-2}
  test_parts=${test_parts:-test-clean} target=${target:-train-clean-5} conf=${conf:-recipes/librispeech/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3}
fi
dl_dir=${dl_dir:-download/LibriSpeech} train_parts=${train_parts:-train-clean-100 train-clean-360 train-other-500}
dev_parts=${dev_parts:-dev-clean dev-other} test_parts=${test_parts:-test-clean test-other} target=${target:-train-clean-100}
conf=${conf:-recipes/librispeech/conf/paper} preset=${preset:-large} jobs=${jobs:-1}
. local/recipe.sh

cuts() { local dir=$1 part; shift; for part in "$@"; do echo "$data/$dir/librispeech_cuts_$part.jsonl.gz"; done; }
pretraining() {
  echo "--config $conf/$1-pretrain.yaml --lang-dir $data/lang_phone"
  each --labeled $(cuts phones $train_parts)
  each --dev $(cuts phones $dev_parts)
}
finetuning() { each --train $(cuts phones "$1"); each --dev $(cuts phones $dev_parts); }
test_cuts() { cuts phones $test_parts; }
lang_dir() { echo "$data/lang_phone"; }
parts() { printf '%s\n' $train_parts $target $dev_parts $test_parts | sort -u; }

if at -1; then
  log "Stage -1: get $(parts | xargs) from https://www.openslr.org/12 and unpack them so that $dl_dir/<part>/ is there"
fi

if at 0 && $mini; then
  log "Stage 0: mini corpus"
  make_corpus librispeech/LibriSpeech
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare librispeech "$dl_dir" --out "$data/manifests" --jobs "$nj" $(each --splits $(parts))
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests $(parts)) --out "$data/phones" --lang-dir "$data/lang_phone"
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
