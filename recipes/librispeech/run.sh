#!/usr/bin/env bash
# UniSpeech on LibriSpeech: pre-train on its phones, fine-tune on 10 minutes to 960 hours of its words, decode and score.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. local/log.sh

stage=0
stop_stage=8
mini=false         # synthetic corpus and settings that fit two cores
dl_dir=            # holds train-clean-100/ and so on, or is a link to such a folder
lm_dir=            # holds LibriSpeech's language models, lexicon, text; lm/ beside --dl-dir
mirror=https://www.openslr.org/resources
data=data/librispeech
exp=exp/librispeech
train_parts=       # parts whose labels pre-train
dev_parts=
test_parts=
target=            # what to fine-tune on, each for itself: 10min, 1h, 10h, 100h, 960h, or a part
units=letters      # of fine-tuning: letters, bpe or phones
systems="unispeech ctc-transfer scratch"  # and contrastive
methods="greedy hlg lattice-rescoring"
scales=            # of the language model, tried on dev: 0.2,0.4,0.6
conf=              # <system>-{pretrain,finetune}.yaml
decode_config=     # settings of decode, as beams
preset=
seed=1
device=cpu
ngpu=1             # GPUs of one training, with --device cuda; with cpu its processes
nj=2               # processes of prepare
jobs=              # trainings at once; 3 with --mini, else 1
hours=0.6          # of the mini corpus
dev_minutes=2
test_minutes=4
lm_utterances=5000

help_message="Usage: $0 [--mini true | --dl-dir DIR] [--stage N --stop-stage M] [options]

Stages: -1 download, 0 mini corpus, 1 prepare, 2 phonemize, 3 pre-train (and train from scratch), 4 fine-tune,
5 language models and graph, 6 decode, 7 score, 8 summary. Options and what they are by default: the head of $0"
. local/parse_options.sh

prune="0 0 1"
if $mini; then
  dl_dir=${dl_dir:-download/mini/librispeech/LibriSpeech} train_parts=${train_parts:-train-clean-5} dev_parts=${dev_parts:-dev-clean-2}
  test_parts=${test_parts:-test-clean} target=${target:-10min} conf=${conf:-recipes/librispeech/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3} prune=0
fi
dl_dir=${dl_dir:-download/LibriSpeech} train_parts=${train_parts:-train-clean-100 train-clean-360 train-other-500}
dev_parts=${dev_parts:-dev-clean dev-other} test_parts=${test_parts:-test-clean test-other} target=${target:-10h}
conf=${conf:-recipes/librispeech/conf/paper} preset=${preset:-large} jobs=${jobs:-1} lm_dir=${lm_dir:-$(dirname "$dl_dir")/lm}
. local/recipe.sh
. local/words.sh

cuts() { local dir=$1 part; shift; for part in "$@"; do echo "$data/$dir/librispeech_cuts_$part.jsonl.gz"; done; }
pretraining() {
  echo "--config $conf/$1-pretrain.yaml --lang-dir $data/lang_phone"
  each "$([ "$1" = contrastive ] && echo --unlabeled || echo --labeled)" $(cuts phones $train_parts)
  each --dev $(cuts phones $dev_parts)
}
of_release() { [ ! -e "$lm_dir/$1" ] || echo "$lm_dir/$1"; }
is_size() { [[ "$1" == +([0-9.])@(min|h) && "$1" != 100h && "$1" != 960h ]]; }
target_parts() { case "$1" in 100h) echo train-clean-100 ;; 960h) echo "$train_parts" ;; *) echo "$1" ;; esac; }
parts() { { for t in $target; do is_size "$t" || target_parts "$t"; done; echo "$train_parts $dev_parts $test_parts"; } | xargs -n 1 | sort -u; }
finetuning() { each --train $(cuts "$units" $(target_parts "$1")); each --dev $(cuts "$units" $dev_parts); }
dev_cuts() { cuts "$units" $dev_parts; }
test_cuts() { cuts "$units" $test_parts; }
lang_dir() { echo "$data/lang_${units%s}"; }
published_lm() { case "$1" in 3) of_release 3-gram.pruned.1e-7.arpa.gz ;; 4) of_release 4-gram.arpa.gz ;; esac; }
lm_text() { of_release librispeech-lm-norm.txt.gz; cuts manifests $train_parts; }
lm_words() { of_release librispeech-vocab.txt; }

if at -1 && ! $mini; then
  log "Stage -1: download from $mirror what is not there"
  for part in $(parts); do
    [ -d "$dl_dir/$part" ] || local/download.sh --mirror "$mirror" 12 "$dl_dir" "$part.tar.gz"
  done
  local/download.sh --mirror "$mirror" 11 "$lm_dir" 3-gram.pruned.1e-7.arpa.gz 4-gram.arpa.gz librispeech-lexicon.txt
fi

if at 0 && $mini; then
  log "Stage 0: mini corpus"
  make_corpus librispeech/LibriSpeech --text "$lm_utterances"
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare librispeech "$dl_dir" --out "$data/manifests" --jobs "$nj" $(each --splits $(parts))
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests $(parts)) --out "$data/phones" --lang-dir "$data/lang_phone" \
    $(each --lexicon $(of_release librispeech-lexicon.txt))
  if [ "$units" != phones ]; then
    unispeech phonemize $(cuts manifests $(parts)) --out "$data/$units" --lang-dir "$(lang_dir)" --units "$units"
  fi
  for t in $target; do
    ! is_size "$t" || python local/subset.py "$data/$units" librispeech "$t" $(cuts "$units" $train_parts)
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
