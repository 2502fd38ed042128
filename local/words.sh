# Sourced after local/recipe.sh by recipes that score words: language models, and decoding with and without them.
#
# $methods are those of `unispeech decode`. Besides what local/recipe.sh asks of a recipe:
#   dev_cuts TARGET      manifests to choose the scale of the language model on
#   published_lm ORDER   an ARPA file of the release, or nothing
#   lm_text              files of text, and manifests of transcripts
#   lm_words             files that name the words of the language model; nothing, to take those of the text
lm=$data/lm
scales=${scales:-0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,1.2,1.5,2.0}

# the n-gram orders that the methods take: one that HLG is composed of, one for rescoring
lm_orders() {
  case " $methods " in *rescoring*) echo 3 4 ;; *hlg*) echo 3 ;; esac
}

language_models() { # of $lm_orders, and the decoding graph
  local order published text=
  for order in $(lm_orders); do
    published=$(published_lm "$order")
    if [ -n "$published" ]; then
      lower_case "$published" "$lm/$order-gram.arpa"
    else
      [ -n "$text" ] || normal_text
      text=$lm/text.gz
      local/train_lm.sh "$text" "$lm/$order-gram.arpa" --order "$order" --prune "$prune" \
        $([ -z "$(lm_words)" ] || echo "--words $lm/words")
    fi
  done
  [ -z "$(lm_orders)" ] || unispeech graph "$(lang_dir)" --lm "$lm/3-gram.arpa"
}

# lower_case ARPA.gz ARPA: words as transcripts are normalised; LibriSpeech's are capital ASCII
lower_case() {
  [ ! "$2" -nt "$1" ] || { log "$2: made from $1, nothing to do"; return; }
  mkdir -p "$lm"
  gzip -dc "$1" | tr '[:upper:]' '[:lower:]' >"$2.part"
  mv "$2.part" "$2"
}

# text.gz, and words where the text holds more of them than there are to be
normal_text() {
  local words
  mkdir -p "$lm"
  python local/lm_text.py "$lm/text.gz" $(lm_text)
  words=$(lm_words)
  [ -z "$words" ] || python local/lm_text.py --words "$lm/words" $words
}

# method_options METHOD: what the graph methods take besides their name
method_options() {
  case "$1" in
    hlg) echo "--lm $lm/3-gram.arpa" ;;
    *-rescoring) echo "--lm $lm/3-gram.arpa --rescore-lm $lm/4-gram.arpa" ;;
  esac
}

decode_to() { # decode_to SYSTEM TARGET METHOD OUT CUTS|OPTION...
  local system=$1 t=$2 method=$3 out=$4
  shift 4
  unispeech decode "$(tuned "$system" "$t")" "$@" --out "$out" --method "$method" --lang-dir "$(lang_dir "$t")" \
    --device "$device" $(method_options "$method") ${decode_config:+--config "$decode_config"}
}

# with a language model, its scale is the one that does best on dev
decode() { # decode SYSTEM TARGET
  local method out
  for method in $methods; do
    out=$(tuned "$1" "$2")/decode_$method
    if [ -z "$(method_options "$method")" ]; then
      decode_to "$1" "$2" "$method" "$out" $({ dev_cuts "$2"; test_cuts "$2"; } | sort -u)
    else
      decode_to "$1" "$2" "$method" "${out}_dev" $(dev_cuts "$2") --lm-scales "$scales"
      [ "${out}_dev/score.json" -nt "${out}_dev/decode.json" ] || unispeech score ${score_options:-} "${out}_dev" >/dev/null
      decode_to "$1" "$2" "$method" "$out" $(test_cuts "$2") --lm-scales "${out}_dev"
    fi
  done
}

decoded() { # decoded SYSTEM TARGET
  local method
  for method in $methods; do echo "$(tuned "$1" "$2")/decode_$method"; done
}

scored() { # scored SYSTEM TARGET
  local method
  for method in $methods; do
    [ -z "$(method_options "$method")" ] || echo "$(tuned "$1" "$2")/decode_${method}_dev"
  done
}
