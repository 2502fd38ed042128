#!/usr/bin/env bash
# Files of openslr.org into a folder: resumed where they were interrupted, checked, unpacked, and not fetched again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/log.sh"

mirror=https://www.openslr.org/resources  # or https://us.openslr.org/resources, https://openslr.elda.org/resources
tries=5
keep=false  # archives, once they are unpacked

help_message="Usage: $0 [--mirror URL] [--tries N] [--keep true] NUMBER FOLDER FILE...

Gets MIRROR/NUMBER/FILE into FOLDER; of archives, what is inside of their top folder. For example:
  $0 12 download/LibriSpeech dev-clean.tar.gz test-clean.tar.gz"
. "$here/parse_options.sh"
[ $# -ge 3 ] || { echo "$help_message" >&2; exit 2; }
number=$1 folder=$2
shift 2

fail() { echo "$0: $*" >&2; exit 1; }

curl_to() { curl --fail --location --silent --show-error --retry "$tries" --output "$@"; }

# fetch URL FILE: go on with a file that is there in part
fetch() {
  if command -v curl >/dev/null; then
    curl_to "$2" --continue-at - "$1" && return
    # 33: this server cannot go on in the middle
    [ $? -eq 33 ] && curl_to "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --no-verbose --tries "$tries" --continue --output-document "$2" "$1"
  else
    fail "neither curl nor wget is here; get $1 into $folder by hand"
  fi
}

# sum FILE: the MD5 that the server has for it, or nothing
sum() { [ -z "$sums" ] || awk -v file="$1" '$2 == file || $2 == "*" file { print $1 }' "$sums"; }

# get FILE: leave it whole in the folder
get() {
  local part=$folder/$1.part url=$mirror/$number/$1 expected found
  expected=$(sum "$1")
  [ -e "$folder/$1" ] || {
    log "$url -> $folder${expected:+, MD5 $expected}"
    fetch "$url" "$part" || fail "cannot get $url; run this again to go on, or put $1 into $folder by hand"
    mv "$part" "$folder/$1"
  }
  found=$(md5sum "$folder/$1" | cut -d ' ' -f 1)
  [ "${expected:-$found}" = "$found" ] || {
    rm "$folder/$1"
    fail "$1 had MD5 $found, not $expected, and was removed; run this again to get it anew"
  }
}

# unpack ARCHIVE: what is in its top folder goes beside it once all of it is there
unpack() {
  local fresh=$folder/.fresh-$1
  rm -rf "$fresh"
  mkdir "$fresh"
  tar --extract --strip-components 1 --directory "$fresh" --file "$folder/$1" || fail "cannot unpack $folder/$1"
  mv -f "$fresh"/* "$folder/"
  rmdir "$fresh"
  $keep || rm "$folder/$1"
}

mkdir -p "$folder"
sums=
for file in "$@"; do
  mark=$folder/.$file.done
  [ ! -e "$mark" ] || { log "$folder has $file, nothing to do"; continue; }
  if [ -z "$sums" ]; then
    sums=$(mktemp)
    trap 'rm -f "$sums"' EXIT
    fetch "$mirror/$number/md5sum.txt" "$sums" 2>/dev/null || log "$mirror/$number has no md5sum.txt; sizes and sums stay unchecked"
  fi
  get "$file"
  case "$file" in *.tar.gz | *.tgz | *.tar) unpack "$file" ;; esac
  touch "$mark"
done
