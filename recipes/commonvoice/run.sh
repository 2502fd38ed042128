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
exp=               # exp; with --setting, exp/<setting>-<preset>
setting=           # of the paper: one-to-one, many-to-one or many-to-many; fills in --source, --target and --vocab
source=            # languages whose labels pre-train, "en es fr it"
target=            # languages to fine-tune on, "ky nl"; "ky+nl" is one training on both
unlabeled=         # languages whose audio pre-trains too, without labels, for all systems
vocab=             # of several languages at once: shared phones, or separate ones for each
systems="unispeech ctc-transfer scratch"  # and r0, contrastive; NAME+ and NAME+joint pre-train on the target's audio too
conf=              # <system>-{pretrain,continue,finetune}.yaml
preset=            # size: base or large; tiny with --mini
train_split=train  # of the targets; a split list's name where --split-lists is given
dev_split=dev
test_split=test
unlabeled_split=train  # what is heard of languages without labels; its clips are not in the test
split_lists=       # holds <lang>/*.txt, one clip a line, or released <lang>/<split>.tsv: more splits of the targets
inventories=       # holds <target>/phonesMatches_reduced.json (or vocab.json), and source/, where phones are given
labels=            # holds released <target>/<split>.{tsv,id,phone} and phone maps: labels of the targets, nothing is phonemized
dry_run=false      # print what stages 3 and 4 would do, and do nothing
speed=             # for --dry-run: seconds of audio that a GPU trains a second
pretrain_hours="en=1350 es=168 fr=353 it=90 ky=17 nl=29 ru=55 sv=3 tt=17"  # for --dry-run, where there is no manifest yet: the paper's
finetune_hours="es=1 fr=1 it=1 ky=1 nl=1 ru=1 sv=1 tt=1"
seed=1
device=cpu
ngpu=1             # GPUs of one training, with --device cuda; with cpu its processes
nj=2               # processes of prepare
transcode=         # true makes 16 kHz FLAC copies of the clips and trains on those; true with --mini, else false
jobs=              # trainings at once; 3 with --mini, else 1
hours=en=1.2,it=0.025  # of the mini corpora
dev_minutes=3
test_minutes=6

help_message="Usage: $0 [--mini true | --dl-dir DIR --target LANGS | --dl-dir DIR --setting SETTING] [--stage N --stop-stage M] [options]

Stages: -1 where to get the corpus, 0 mini corpora, 1 prepare, 2 phonemize, 3 pre-train (and train from scratch),
4 fine-tune, 5 decode, 6 score, 7 summary. --dry-run true says what 3 and 4 would do. Options and what they are by
default: the head of $0"
. local/parse_options.sh

part=source # what is made of the source languages
case "$setting" in
  "") ;;
  one-to-one) target=${target:-es fr it ky nl ru sv tt} ;;
  many-to-one) source=${source:-en es fr it} target=${target:-ky nl ru sv tt} vocab=${vocab:-separate} ;;
  many-to-many) source=${source:-en es fr it} target=${target:-ky+nl+ru+sv+tt} vocab=${vocab:-separate} ;;
  *) echo "$0: --setting is one-to-one, many-to-one or many-to-many, not $setting" >&2; exit 1 ;;
esac
if $mini; then
  dl_dir=${dl_dir:-download/mini/commonvoice} target=${target:-it} conf=${conf:-recipes/commonvoice/conf/mini}
  preset=${preset:-tiny} jobs=${jobs:-3} transcode=${transcode:-true} pretrain_hours= finetune_hours=
fi
dl_dir=${dl_dir:-download/commonvoice} source=${source:-en} target=${target:-ky} conf=${conf:-recipes/commonvoice/conf/paper}
preset=${preset:-large} jobs=${jobs:-1} vocab=${vocab:-shared}
if [ -n "$setting" ]; then
  part=source-${source// /+}-$vocab exp=${exp:-exp/$setting-$preset$([ "$setting" = one-to-one ] || echo "-$vocab")}
fi
exp=${exp:-exp} prepare_options="--jobs $nj $([ "${transcode:-false}" = false ] || echo --transcode)"
[[ $target != *+* ]] || score_options="--by language"
if $dry_run; then stage=3 stop_stage=4 jobs=1 ngpu=1; fi
. local/recipe.sh

# cuts FOLDER SPLIT LANGUAGE...
cuts() { local part=$1 split=$2 l; shift 2; for l in "$@"; do echo "$data/$part/cv-${l}_cuts_$split.jsonl.gz"; done; }
audio() { cuts manifests "$unlabeled_split" "$@"; }
# the encoder of a system; one a target where it hears the target's audio
encoder() {
  case "$1" in
    *+ | *+joint) echo "$exp/$1/pretrain-${2:-}" ;;
    *) [ ! -e "$conf/$1-pretrain.yaml" ] || echo "$exp/$1/pretrain" ;;
  esac
}
pretraining() { # SYSTEM, and TARGET where its audio is heard
  local of=${2:-}
  echo "--lang-dir $data/$part/lang_phone"
  case "$1" in
    *+)
      echo "--config $conf/$1-continue.yaml --init $(encoder "${1%+}" "$of")"
      each --unlabeled $(audio ${of//+/ })
      each --dev $(cuts manifests "$dev_split" ${of//+/ })
      ;;
    *)
      echo "--config $conf/$1-pretrain.yaml"
      each "$([[ $1 = contrastive* ]] && echo --unlabeled || echo --labeled)" $(cuts "$part" train $source)
      each --unlabeled $(audio $unlabeled ${of//+/ })
      each --dev $(cuts "$part" dev $source)
      ;;
  esac
  planned $pretrain_hours
}
folder() { case "$1" in *+*) echo "$1-$vocab" ;; *) echo "$1" ;; esac; } # of what is made of a target
finetuning() {
  each --train $(cuts "$(folder "$1")" "$train_split" ${1//+/ })
  each --dev $(cuts "$(folder "$1")" "$dev_split" ${1//+/ })
  planned $finetune_hours
}
planned() { if $dry_run; then echo "--dry-run ${speed:+--speed $speed}"; each --hours "${@/#/cv-}"; fi; } # planned LANGUAGE=HOURS...
test_cuts() { cuts "$(folder "$1")" "$test_split" ${1//+/ }; }
lang_dir() { echo "$data/$(folder "$1")/lang_phone"; }
# phones NAME LANGUAGE...: those that are given under this name, else espeak-ng's
phones() {
  [[ -z $inventories || -n $labels ]] || each --inventory $(ls "$inventories/$1"/{phonesMatches_reduced,vocab}.json 2>/dev/null | head -n 1)
  [ $# -le 2 ] || echo "--vocab $vocab"
}
# to_phones CUTS... OPTIONS: by espeak-ng, or as they are in released files
to_phones() { if [ -n "$labels" ]; then python local/released_labels.py --labels "$labels" "$@"; else unispeech phonemize "$@"; fi; }
# lists LANGUAGE: files that spell out splits; of the released ones those that are asked for
lists() {
  local split
  [ -n "$split_lists" ] || return 0
  ls "$split_lists/$1"/*.txt 2>/dev/null || true
  for split in "$train_split" "$dev_split" "$test_split" "$unlabeled_split"; do ls "$split_lists/$1/$split.tsv" 2>/dev/null || true; done
}

if at -1; then
  log "Stage -1: CommonVoice is given out by the Mozilla Data Collective; unpack it so that $dl_dir/<lang>/ holds the TSVs"
fi

languages=$(printf '%s\n' $source ${target//+/ } $unlabeled | awk '!seen[$0]++')
if at 0 && $mini; then
  log "Stage 0: mini corpora"
  make_corpus commonvoice --languages "$(echo $languages | tr ' ' ',')"
fi

if at 1; then
  log "Stage 1: prepare"
  unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" $prepare_options $(each --language $languages)
  for l in ${target//+/ }; do
    for list in $(lists "$l"); do
      unispeech prepare commonvoice "$dl_dir" --out "$data/manifests" $prepare_options --language "$l" --split-list "$list"
    done
  done
fi

if at 2; then
  log "Stage 2: phonemize"
  unispeech phonemize $(cuts manifests train $source) $(cuts manifests dev $source) \
    --out "$data/$part" --lang-dir "$data/$part/lang_phone" $(phones source $source)
  for t in $target; do
    to_phones $(for s in "$train_split" "$dev_split" "$test_split"; do cuts manifests "$s" ${t//+/ }; done) \
      --out "$data/$(folder "$t")" --lang-dir "$(lang_dir "$t")" $(phones "$t" ${t//+/ })
  done
fi

if at 3; then
  log "Stage 3: pre-train; train from scratch what is not pre-trained"
  pretrain_systems
  pretrain_on_targets
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
