#!/usr/bin/env bash
# UniSpeech from books to talks: the encoders of recipes/librispeech, fine-tuned on TED-LIUM 3, scored in phones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

stage=0
stop_stage=7
mini=false         # synthetic corpora and settings that fit two cores
dl_dir=            # holds legacy/ of the release, or is a link to such a folder
data=data/tedlium3
exp=exp/tedlium3
init=exp/librispeech  # holds <system>/pretrain, the encoders; recipes/librispeech makes them
librispeech="--mini true"  # options of recipes/librispeech/run.sh, which --mini calls to make them
unlabeled=false    # pre-train the encoders further on the audio of the talks, without labels
systems="unispeech ctc-transfer scratch"
conf=              # <system>-{continue,finetune}.yaml
preset=
target=train       # splits to fine-tune on, each for itself
seed=1
device=cpu
nj=2               # processes of prepare
jobs=              # trainings at once; 3 with --mini, else 1
hours=0.15         # of the mini corpus
dev_minutes=2
test_minutes=4

help_message="Usage: $0 [--mini true | --dl-dir DIR --init EXP] [--stage N --stop-stage M] [options]

Stages: -1 where to get the corpus, 0 mini corpora and the encoders, 1 prepare, 2 phonemize, 3 pre-train further (and
train from scratch), 4 fine-tune, 5 decode, 6 score, 7 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

if $mini; then
  dl_dir=${dl_dir:-download/mini/tedlium3/TEDLIUM_release-3} conf=${conf:-recipes/tedlium3/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3}
fi
dl_dir=${dl_dir:-download/TEDLIUM_release-3} conf=${conf:-recipes/tedlium3/conf/paper} preset=${preset:-large} jobs=${jobs:-1}
. local/recipe.sh

cuts() { local dir=$1 split; shift; for split in "$@"; do echo "$data/$dir/tedlium_cuts_$split.jsonl.gz"; done; }
continues() { $unlabeled && [ -e "$conf/$1-continue.yaml" ]; }
encoder() {
  if continues "$1"; then echo "$exp/$1/pretrain"; elif [ "$1" != scratch ]; then echo "$init/$1/pretrain"; fi
}
pretraining() {
  echo "--config $conf/$1-continue.yaml --lang-dir $data/lang_phone --init $init/$1/pretrain"
  each --unlabeled $(cuts manifests train)
  each --dev $(cuts phones dev)
}
finetuning() { each --train $(cuts phones "$1"); each --dev $(cuts phones dev); }
test_cuts() { cuts phones test; }
lang_dir() { echo "$data/lang_phone"; }
from_librispeech() { for system in $systems; do [ "$system" = scratch ] || echo "$system"; done; }

if at -1; then
  log "Stage -1: get TEDLIUM_release-3 from https://www.openslr.org/51 and unpack it so that $dl_dir/legacy/ is there"
fi

if at 0 && $mini; then
  log "Stage 0: mini corpora and the encoders"
  make_corpus tedlium3/TEDLIUM_release-3
  recipes/librispeech/run.sh $librispeech --exp "$init" --systems "$(from_librispeech | xargs)" --seed "$seed" --nj "$nj" \
    --jobs "$jobs" --device "$device" --stop-stage 3
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare tedlium3 "$dl_dir" --out "$data/manifests" --jobs "$nj"
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests train dev test) --out "$data/phones" --lang-dir "$data/lang_phone"
fi

if at 3; then
  log "Stage 3: pre-train further; train from scratch what is not pre-trained"
  for system in $(from_librispeech); do
    [ -e "$init/$system/pretrain" ] && continue
    echo "$0: no $init/$system/pretrain; recipes/librispeech/run.sh --exp $init --stop-stage 3 makes it" >&2
    exit 1
  done
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
