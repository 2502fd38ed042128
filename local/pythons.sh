# Sourced by setup.sh: find an interpreter, or the Python that torch (and k2) already are in. Reads $env and $python.

# Prints "3.11 True /usr/bin/python3.11": version, whether it can make an environment with pip, where it is.
describe() {
  "$1" - 2>/dev/null <<'PY'
import importlib.util, sys
pip = all(map(importlib.util.find_spec, ["venv", "ensurepip"]))
if sys.implementation.name == "cpython":
    print("%d.%d" % sys.version_info[:2], pip, sys._base_executable)
PY
}

# Describes the first interpreter of the versions given; one that cannot make environments where there is no other.
find_python() {
  local wanted candidate version pip path lame=
  for wanted in "$@"; do
    for candidate in ${python:-$(type -ap "python$wanted" python3 python || true)}; do
      read -r version pip path < <(describe "$candidate") || continue
      [ "$version" = "$wanted" ] || continue
      [ "$pip" = False ] || { echo "$version $pip $path" && return; }
      lame=${lame:-$version $pip $path}
    done
  done
  echo "$lame"
}

# Prints the active Python, unless it is ours, where it has torch and, for the k2 environment, k2.
find_active() {
  local candidate
  for candidate in ${python:-python python3}; do
    "$candidate" - "$env" "$PWD/.venv" 2>/dev/null <<'PY' && return || true
import importlib.util, sys
wanted = ["torch", "k2"] if sys.argv[1] == "k2" else ["torch"]
fits = (3, 11) <= sys.version_info[:2] <= (3, 13) and all(map(importlib.util.find_spec, wanted))
if not fits or sys.prefix.startswith(sys.argv[2]):
    sys.exit(1)
print(sys.executable)
PY
  done
}

# Prints the version of torch, where torch and k2 import in the Python given; fails where they do not.
try_active() {
  "$1" -W ignore - "$env" 2>/dev/null <<'PY'
import sys, torch
if sys.argv[1] == "k2":
    import k2
    k2.ctc_loss
elif torch.__version__.startswith("1."):
    sys.exit(1)
print(torch.__version__)
PY
}
