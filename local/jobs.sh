# Sourced: run functions side by side, each line of what they say marked with its job's name.
#
# SIGTERM and SIGUSR1 go on to what runs, and are waited for: a training saves what it has done and ends with 75, and
# so does the script. Whoever sources this may get them alone, or with all its processes as SLURM sends them.

_job_pids=()
_job_names=()
# the exit code that says: nothing is wrong, run the same command again
_again=75

_signal_jobs() { # _signal_jobs SIGNAL
  local pid
  for pid in "${_job_pids[@]}"; do kill "-$1" -- "-$pid" 2>/dev/null || true; done
}

_asked_to_stop() {
  trap '' TERM USR1
  _signal_jobs TERM
  wait
  echo "$0: stopped, run the same command again" >&2
  exit "$_again"
}
trap '_signal_jobs TERM' EXIT
trap 'exit 130' INT
trap _asked_to_stop TERM USR1

# what a shell does between a training and whoever asks it to stop: it waits
_patiently() {
  trap : TERM USR1
  "$@"
}

# job AT_ONCE NAME COMMAND...: start a command when fewer than AT_ONCE run; with AT_ONCE 1 it keeps the terminal
job() {
  local at_once=$1 name=$2
  shift 2
  if [ "$at_once" -le 1 ]; then
    "$@"
    return
  fi
  while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do sleep 0.2; done
  set -m # a process group of its own, so that it can be stopped whole
  {
    trap : TERM USR1
    _patiently "$@" 2>&1 | (trap '' TERM USR1; exec sed -u "s/^/[$name] /" >&2)
  } </dev/null &
  set +m
  _job_pids+=($!)
  _job_names+=("$name")
}

# finish_jobs [NAME...]: wait for these jobs, or for all; fail naming the first that failed, with 75 where all others
# that failed were but asked to stop
finish_jobs() {
  local i name code failed='' stopped=''
  for i in "${!_job_pids[@]}"; do
    name=${_job_names[$i]}
    [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
    code=0
    wait "${_job_pids[$i]}" || code=$?
    if [ "$code" -eq "$_again" ]; then stopped=${stopped:-$name}; elif [ "$code" -ne 0 ]; then failed=${failed:-$name}; fi
    unset "_job_pids[$i]" "_job_names[$i]"
  done
  [ -z "$failed" ] || { echo "$0: $failed failed; its last lines are above" >&2; return 1; }
  [ -z "$stopped" ] || { echo "$0: $stopped was stopped, run the same command again" >&2; return "$_again"; }
}
