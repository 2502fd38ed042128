# Sourced after local/jobs.sh: run cells, of which one may need others, side by side and in pieces.
#
# A cell is a line of NAME=VALUE. It has an id, a kind, a mark (the file that says it is done) and needs, marks with commas
# between; the function run_KIND finds all fields as variables. One that is told to stop ends with 75 and goes on when it
# is run again. $jobs run at once, $minutes (where they are given) from the start on no piece is begun.

time_is_up() { [ -n "$minutes" ] && [ "$SECONDS" -ge $((60 * minutes)) ]; }
is_done() { local $1; [ -e "$mark" ]; }
is_ready() {
  local $1 need
  for need in ${needs//,/ }; do [ -e "$need" ] || return 1; done
}

# piece COMMAND...: a training that is told to stop after $piece_seconds
piece() { timeout --foreground --preserve-status --signal TERM "$piece_seconds" "$@"; }

# run_cell CELL: its pieces, and its mark, which holds the seconds of the last one
run_cell() {
  local $1 began code told=false
  trap 'told=true' TERM USR1
  while true; do
    began=$SECONDS code=0
    "run_$kind" || code=$?
    if [ "$code" -eq 0 ]; then
      mkdir -p "$(dirname "$mark")"
      echo $((SECONDS - began)) >"$mark"
      return 0
    elif $told || { [ "$code" -eq "$_again" ] && time_is_up; }; then
      return "$_again"
    elif [ "$code" -ne "$_again" ]; then
      return "$code"
    fi
  done
}

running() { jobs -rp | wc -l; }
wait_until_fewer_than() { while [ "$(running)" -ge "$1" ]; do sleep 0.3; done; }

# run_cells <CELLS: the first one that is ready goes first; 75 where some are left for another time
run_cells() {
  local left=() cell i next label busy code=0
  while read -r cell; do is_done "$cell" || left+=("$cell"); done
  while [ "${#left[@]}" -gt 0 ]; do
    wait_until_fewer_than "$jobs"
    ! time_is_up || break
    # counted before they are looked at: with none that ran then, none becomes ready any more
    busy=$(running) next=
    for i in "${!left[@]}"; do
      if is_ready "${left[$i]}"; then next=$i; break; fi
    done
    if [ -n "$next" ]; then
      label=${left[$next]##* id=}
      # in the background also where one runs at once: a shell that waits for a job hears signals
      label=${label%% *}
      job $((jobs + 1)) "${label//\// }" run_cell "${left[$next]}"
      unset "left[$next]"
    elif [ "$busy" -gt 0 ]; then
      wait_until_fewer_than "$busy"
    else
      break
    fi
  done
  finish_jobs || code=$?
  if [ "$code" -eq 0 ] && [ "${#left[@]}" -gt 0 ]; then
    echo "$0: ${#left[@]} cells are left, run the same command again" >&2
    code=$_again
  fi
  return "$code"
}
