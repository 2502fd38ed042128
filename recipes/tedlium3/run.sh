#!/usr/bin/env bash
# UniSpeech from books to talks: encoders of recipes/librispeech, fine-tuned on the words of TED-LIUM 3, decoded and scored.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

stage=0
stop_stage=8
mini=false         # synthetic corpora and settings that fit two cores
dl_dir=            # holds legacy/ and LM/ of the release, or is a link to such a folder
mirror=https://www.openslr.org/resources
data=data/tedlium3
exp=exp/tedlium3
init=exp/librispeech  # holds <system>/pretrain, the encoders; recipes/librispeech makes them
librispeech="--mini true"  # options of recipes/librispeech/run.sh, which --mini calls to make them
target=train       # what to fine-tune on, each for itself: train (all of it), 10min, 1h, 10h, 100h
units=letters      # of fine-tuning: letters, bpe or phones
systems="unispeech+ unispeech ctc-transfer scratch"  # and contrastive; a + goes on with the talks' audio, without labels
methods="greedy hlg lattice-rescoring"
glm=               # NIST global map: words brought to one form before they are scored
scales=            # of the language model, tried on dev: 0.2,0.4,0.6
conf=              # <system>-{continue,finetune}.yaml
decode_config=     # settings of decode, as beams
preset=
seed=1
device=cpu
ngpu=1             # GPUs of one training, with --device cuda; with cpu its processes
nj=2               # processes of prepare
jobs=              # trainings at once; 3 with --mini, else 1
hours=0.15         # of the mini corpus
dev_minutes=2
test_minutes=4
lm_utterances=5000

help_message="Usage: $0 [--mini true | --dl-dir DIR --init EXP] [--stage N --stop-stage M] [options]

Stages: -1 download, 0 mini corpora and the encoders, 1 prepare, 2 phonemize, 3 pre-train further (and train from scratch),
4 fine-tune, 5 language models and graph, 6 decode, 7 score, 8 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

prune="0 1 2"
if $mini; then
  dl_dir=${dl_dir:-download/mini/tedlium3/TEDLIUM_release-3} conf=${conf:-recipes/tedlium3/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3} prune=0
fi
dl_dir=${dl_dir:-download/TEDLIUM_release-3} conf=${conf:-recipes/tedlium3/conf/paper} preset=${preset:-large} jobs=${jobs:-1}
score_options="--sclite --config recipes/tedlium3/conf/score.yaml ${glm:+--glm $glm}"
. local/recipe.sh
. local/words.sh

cuts() { local dir=$1 split; shift; for split in "$@"; do echo "$data/$dir/tedlium_cuts_$split.jsonl.gz"; done; }
source_encoder() { [ "$1" = scratch ] || echo "$init/${1%+}/pretrain"; } # of LibriSpeech, for a system
encoder() { case "$1" in *+) echo "$exp/$1/pretrain" ;; *) source_encoder "$1" ;; esac; }
pretraining() {
  echo "--config $conf/$1-continue.yaml --lang-dir $(lang_dir) --init $(source_encoder "$1")"
  each --unlabeled $(cuts manifests train)
  each --dev $(cuts "$units" dev)
}
finetuning() { each --train $(cuts "$units" "$1"); each --dev $(cuts "$units" dev); }
dev_cuts() { cuts "$units" dev; }
test_cuts() { cuts "$units" test; }
lang_dir() { echo "$data/lang_${units%s}"; }
published_lm() { :; }
lm_text() { ls "$dl_dir"/LM/*.en.gz 2>/dev/null || true; cuts manifests train; }
lm_words() { # a dictionary's first column, without (2) of second pronunciations
  [ -e "$dl_dir/TEDLIUM.152k.dic" ] || return 0
  sed 's/[( ].*//' "$dl_dir/TEDLIUM.152k.dic" >"$lm/release.words"
  echo "$lm/release.words" $(cuts manifests train)
}

if at -1 && ! $mini; then
  log "Stage -1: download from $mirror what is not there"
  [ -d "$dl_dir/legacy" ] || local/download.sh --mirror "$mirror" 51 "$dl_dir" TEDLIUM_release-3.tgz
fi

if at 0 && $mini; then
  log "Stage 0: mini corpora and the encoders"
  make_corpus tedlium3/TEDLIUM_release-3 --text "$lm_utterances"
  recipes/librispeech/run.sh $librispeech --exp "$init" --seed "$seed" --nj "$nj" --jobs "$jobs" --device "$device" --ngpu "$ngpu" --stop-stage 3 \
    --systems "$(for system in $systems; do [ "$system" = scratch ] || echo "${system%+}"; done | sort -u | xargs)"
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare tedlium3 "$dl_dir" --out "$data/manifests" --jobs "$nj"
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests train dev test) --out "$data/$units" --lang-dir "$(lang_dir)" --units "$units"
  for t in $target; do
    [ "$t" = train ] || python local/subset.py "$data/$units" tedlium "$t" $(cuts "$units" train)
  done
fi

if at 3; then
  log "Stage 3: pre-train further; train from scratch what is not pre-trained"
  for system in $systems; do
    [[ $system = scratch || -e "$(source_encoder "$system")" ]] || {
      echo "$0: no $(source_encoder "$system"); recipes/librispeech/run.sh --exp $init --stop-stage 3 makes it" >&2
      exit 1
    }
  done
  pretrain_systems
fi

if at 4; then
  log "Stage 4: fine-tune"
  finetune_systems
fi

if at 5; then
  log "Stage 5: language models and graph"
  language_models
fi

if at 6; then
  log "Stage 6: decode"
  decode_systems
fi

if at 7; then
  log "Stage 7: score"
  score_systems
fi

if at 8; then
  log "Stage 8: summary"
  summarize_systems
fi
