"""Cells side by side and in pieces, with shell functions for trainings."""

import signal
import subprocess
import time
from pathlib import Path

LOCAL = Path(__file__).parents[2] / "local"
# a quick cell does its work at once; a long one is stopped twice by its piece's end and then done; a slow one waits
KINDS = """
set -euo pipefail
minutes= piece_seconds=480 jobs=2
. {local}/jobs.sh
. {local}/cells.sh
said() {{ echo "$1 $id" >>said; }}
run_quick() {{ said quick; }}
run_long() {{ said long; [ "$(grep -c "long $id" said)" -ge 3 ] || return 75; }}
run_slow() {{ said begun; piece sleep 20 || return 75; }}
run_bad() {{ said bad; return 3; }}
cells() {{ while read -r kind id needs; do echo "mark=done/$id needs=$needs settings= kind=$kind id=$id"; done; }}
{script}
"""


def command(script: str) -> list[str]:
    return ["bash", "-c", KINDS.format(local=LOCAL, script=script)]


def run(place: Path, script: str) -> tuple[int, list[str], str]:
    """Exit code, what the cells said, and stderr."""
    done = subprocess.run(command(script), cwd=place, capture_output=True, text=True, timeout=60)
    said = place / "said"
    return done.returncode, said.read_text().splitlines() if said.exists() else [], done.stderr


def test_a_cell_waits_for_what_it_needs_and_goes_on_in_pieces(tmp_path):
    script = 'run_cells < <(printf "quick b done/a\\nlong a\\nquick c done/a,done/b\\n" | cells)'
    code, said, _ = run(tmp_path, script)
    assert code == 0
    assert said == ["long a", "long a", "long a", "quick b", "quick c"]
    # what is done is not run again
    assert run(tmp_path, script)[:2] == (0, said)


def test_what_does_not_need_a_cell_that_fails_is_run(tmp_path):
    script = 'run_cells < <(printf "bad x/a\\nquick b done/x/a\\nquick c\\n" | cells)'
    code, said, err = run(tmp_path, script)
    assert code == 1 and sorted(said) == ["bad x/a", "quick c"]
    assert "x a failed" in err.splitlines()[-1]
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["c"]


def test_no_piece_is_begun_when_the_time_is_up(tmp_path):
    """The first piece is begun in time, the second would not be."""
    script = "minutes=1; SECONDS=58; run_slow() { said begun; sleep 2; return 75; }\n"
    code, said, err = run(tmp_path, script + 'jobs=1; run_cells < <(printf "slow a\\nquick b\\n" | cells)')
    assert code == 75 and said == ["begun a"]
    assert "a was stopped, run the same command again" in err
    code, said, err = run(tmp_path, 'minutes=0; run_cells < <(printf "slow a\\nquick b\\n" | cells)')
    assert code == 75 and said == ["begun a"] and "2 cells are left" in err


def test_a_piece_ends_by_itself_and_the_signal_is_the_trainings(tmp_path):
    training = 'trap "exit 75" TERM; sleep 5 >/dev/null 2>&1 & wait'
    script = f"piece_seconds=0.2; code=0; piece bash -c '{training}' || code=$?; exit $code"
    began = time.monotonic()
    assert run(tmp_path, script)[0] == 75
    assert time.monotonic() - began < 4


def test_who_asks_to_stop_stops_all_that_runs_and_begins_nothing(tmp_path):
    script = 'run_cells < <(printf "slow a\\nslow b\\nquick c done/a\\n" | cells)'
    running = subprocess.Popen(command(script), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    said = tmp_path / "said"
    while not said.exists() or len(said.read_text().splitlines()) < 2:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    err = running.communicate(timeout=15)[1]
    assert running.returncode == 75 and "run the same command again" in err
    assert sorted(said.read_text().splitlines()) == ["begun a", "begun b"]
    assert not (tmp_path / "done").exists()
