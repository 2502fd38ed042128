# Sourced after the defaults are set as shell variables: `--stage 3` sets $stage, `--stop-stage 4` sets $stop_stage.
#
# Only variables that have a default are options; one whose default is true or false takes nothing else.
# `--config FILE` is sourced first, so what is said on the command line wins. `--help` prints $help_message.
# What follows the last option is left in "$@".

_refuse_option() {
  echo "$0: $*" >&2
  exit 1
}

# $1 is an option, $2 how many words follow it, $3 the first of them
_check_option() {
  case "$1" in
    --*=*) _refuse_option "write ${1%%=*} ${1#*=} (a space, no =)" ;;
    --[a-z]*) ;;
    *) _refuse_option "invalid option $1" ;;
  esac
  if [ "$2" -eq 0 ] || [[ "$3" == --* ]]; then
    _refuse_option "option $1 needs a value"
  fi
}

_set_option() {
  local _name="${1#--}"
  _name="${_name//-/_}"
  [[ "$_name" =~ ^[a-z][a-z0-9_]*$ && -n "${!_name+set}" ]] || _refuse_option "invalid option $1"
  case "${!_name}:$2" in
    true:true | true:false | false:true | false:false) ;;
    true:* | false:*) _refuse_option "option $1 is true or false, not $2" ;;
  esac
  printf -v "$_name" %s "$2"
}

_read_configs() {
  while [[ "${1:-}" == --?* && "$1" != --help ]]; do
    _check_option "$1" $(($# - 1)) "${2:-}"
    if [ "$1" = --config ]; then
      [ -r "$2" ] || _refuse_option "--config $2: no such file"
      . "$2"
    fi
    shift 2
  done
}

_read_configs "$@"
while [[ "${1:-}" == -?* ]]; do
  case "$1" in
    --help | -h)
      printf '%s\n' "${help_message:-$0 says nothing about itself}"
      exit 0
      ;;
    --)
      shift
      break
      ;;
  esac
  _check_option "$1" $(($# - 1)) "${2:-}"
  if [ "$1" != --config ] || [ -n "${config+set}" ]; then
    _set_option "$1" "$2"
  fi
  shift 2
done
