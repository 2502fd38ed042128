#!/usr/bin/env bash
# The one runner: alone, it sets up and runs the main job on the mini corpora.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. local/log.sh

help_message="Usage: ./run.sh [WHAT] [--env k2|torch2] [--python PYTHON] [--k2 WHEEL-OR-INDEX] [options of WHAT]

  ./run.sh                                       the main job on the mini corpora: pre-train, fine-tune, decode, score
  ./run.sh test [FILE ...]                       all checks: ruff, mypy, pytest (of the files named, where some are)
  ./run.sh commonvoice --stage 2 --stop-stage 4  recipes/commonvoice/run.sh; its options: ./run.sh commonvoice --help
  ./run.sh study --dry-run true                  the paper's comparisons with intervals: recipes/study/README.md

The environment is made when it is missing: .venv (k2, the default) or .venv-torch2; see local/setup.sh --help."

main_job() {
  exec recipes/commonvoice/run.sh --mini true "$@"
}

run_checks() {
  local failed=0
  ruff check . || failed=1
  ruff format --check . || failed=1
  mypy || failed=1
  # a process a core, one thread each; a file's tests share what they make
  OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile --no-loadscope-reorder "$@" || failed=1
  return "$failed"
}

setup=() rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    --env | --python | --k2 | --active)
      setup+=("$1" "${2?"$1 needs a value"}")
      shift
      ;;
    *) rest+=("$1") ;;
  esac
  shift
done
set -- "${rest[@]}"

what=
if [[ $# -gt 0 && "$1" != -* ]]; then
  what=$1
  shift
elif [[ "${1:-}" = --help || "${1:-}" = -h ]]; then
  echo "$help_message"
  exit
fi
if [[ -n "$what" && "$what" != test && ! -x "recipes/$what/run.sh" ]]; then
  log "there is no recipe $what; there are: test $(cd recipes && echo *)"
  exit 1
fi

bin=$(local/setup.sh "${setup[@]}")
export PATH="$bin:$PATH"
case "$what" in
  "") main_job "$@" ;;
  test) run_checks "$@" ;;
  # in place of this shell: who asks it to stop asks the recipe
  *) exec "recipes/$what/run.sh" "$@" ;;
esac
