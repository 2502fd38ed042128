#!/usr/bin/env bash
# Sentences, one a line -> an n-gram model in ARPA format: by KenLM's lmplz where it is on the path, else by local/lm.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/log.sh"

order=3
prune=0        # n-grams seen so often or less are left out: a figure an order, "0 0 1"
words=         # a file of the words to keep to, parted by white space
memory=50%     # of lmplz

help_message="Usage: $0 TEXT[.gz] ARPA [--order 3] [--prune '0 0 1'] [--words FILE] [--memory 50%]"
arguments=()
while [[ $# -gt 0 && "$1" != -* ]]; do arguments+=("$1") && shift; done
. "$here/parse_options.sh"
arguments+=("$@")
[ ${#arguments[@]} -eq 2 ] || { echo "$help_message" >&2; exit 2; }
text=${arguments[0]} arpa=${arguments[1]}
[ -r "$text" ] || { echo "$0: no text $text" >&2; exit 1; }

sentences() { case "$text" in *.gz) gzip -dc "$text" ;; *) cat "$text" ;; esac; }
by=$(command -v lmplz >/dev/null && echo lmplz || echo local/lm)
made="$(sentences | sha256sum | cut -c -64) order $order prune $prune by $by ${words:+$(sha256sum "$words")}"
if [[ -e "$arpa" && "$(cat "$arpa.made" 2>/dev/null)" = "$made" ]]; then
  log "$arpa: same text, nothing to do"
  exit
fi

mkdir -p "$(dirname "$arpa")"
if [ "$by" = lmplz ]; then
  sentences | lmplz --order "$order" --prune $prune --discount_fallback -S "$memory" -T "$arpa" --arpa "$arpa.part" \
    ${words:+--limit_vocab_file "$words"}
  mv "$arpa.part" "$arpa"
else
  sentences | python "$here/lm" "$arpa" --order "$order" --prune $prune ${words:+--words "$words"}
fi
echo "$made" >"$arpa.made"
