# Sourced: run functions side by side, each line of what they say marked with its job's name.

_job_pids=()
_job_names=()

_stop_jobs() {
  local pid
  for pid in "${_job_pids[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
}
trap _stop_jobs EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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
  { "$@" 2>&1 | sed -u "s/^/[$name] /" >&2; } </dev/null &
  set +m
  _job_pids+=($!)
  _job_names+=("$name")
}

# finish_jobs [NAME...]: wait for these jobs, or for all; fail naming the first that failed
finish_jobs() {
  local i name failed=
  for i in "${!_job_pids[@]}"; do
    name=${_job_names[$i]}
    [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
    wait "${_job_pids[$i]}" || failed=${failed:-$name}
    unset "_job_pids[$i]" "_job_names[$i]"
  done
  [ -z "$failed" ] || { echo "$0: $failed failed; its last lines are above" >&2; return 1; }
}
