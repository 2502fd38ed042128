# Sourced by the study's recipe: which manifests a cell is trained and tested on, from the fields of the cell.
#
# $data holds them, $parts is how many a recorded target is dealt into, $folds is empty where targets have a test of their
# own, $tested are the targets of the whole plan, a line each.
made_of() { case "$1" in *+*) echo "$1-$2" ;; *) echo "$1" ;; esac; } # made_of LANGUAGES VOCAB: their folder
split() { # split NAME LANGUAGE: as the corpus calls it
  case "$2:$1" in
    librispeech:train) echo "${librispeech_splits%% *}" ;;
    librispeech:dev) echo "$librispeech_splits" | cut -d ' ' -f 2 ;;
    librispeech:test) echo "${librispeech_splits##* }" ;;
    *) echo "$1" ;;
  esac
}
# cuts FOLDER SPLIT LANGUAGE...
cuts() {
  local folder=$1 split=$2 l
  shift 2
  for l in "$@"; do
    case "$l" in librispeech | tedlium) ;; *) l=cv-$l ;; esac
    echo "$data/$folder/${l}_cuts_$(split "$split" "${l#cv-}").jsonl.gz"
  done
}
# folds: the part after the one that is tested is dev, the others are learnt from
dev_part() { echo "part-$(($1 % parts + 1))"; }
all_parts() { seq -f 'part-%g' "$parts"; }
parts_without() { all_parts | grep -vxF "$(printf '%s\n' "$@")"; }
target_splits() { if [ -n "$folds" ]; then all_parts; else printf '%s\n' train dev test; fi; }
# tuned_on train|dev|test: cuts of a fine-tuning
tuned_on() {
  local s splits=$1
  case "$fold:$1" in
    0:train) splits=${labels/all/train} ;;
    0:*) ;;
    *:train) splits=$(parts_without "part-$fold" "$(dev_part "$fold")") ;;
    *:dev) splits=$(dev_part "$fold") ;;
    *:test) splits=part-$fold ;;
  esac
  for s in $splits; do cuts "$(made_of "$target" "$vocab")" "$s" ${target//+/ }; done
}
# heard: cuts without labels that a training hears; of targets, what the fold does not test
heard() {
  local l s
  for l in ${hears//+/ }; do
    if [ "$fold" = 0 ] || [[ "+$source+" = *"+$l+"* ]]; then
      cuts manifests train "$l"
    elif grep -qx "$l" <<<"$tested"; then
      for s in $(parts_without "part-$fold"); do cuts manifests "$s" "$l"; done
    else
      cuts manifests validated "$l"
    fi
  done
}
