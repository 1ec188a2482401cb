#!/usr/bin/env bash
# Install exactly what a lock file says into a virtual environment. Quick when it is already installed.
#
#   tools/setup.sh VENV LOCK
#
# pip installs uv (pinned by hash in requirements-bootstrap.txt), and uv installs the lock with
# --require-hashes. PYTHON=… chooses the interpreter (3.11 or 3.12); otherwise it is the first that
# works of python3.12, python3.11 and python3.
set -euo pipefail

case ${1:---help} in
-h | --help)
  echo 'usage: tools/setup.sh VENV LOCK'
  echo 'Install exactly what the lock file says into a virtual environment; PYTHON=… chooses the interpreter.'
  exit
  ;;
esac

venv=$1
lock=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bootstrap=$root/requirements-bootstrap.txt
stamp=$venv/.brewtrain-lock

fail() {
  printf '%s\n' "setup: $*" >&2
  exit 1
}

# Whether it has a supported version and can create an environment with pip. It is run, because a
# pyenv shim may exist and still fail.
usable() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1
}

choose_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or 3.12 with venv and ensurepip; choose another one."
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3.12 python3.11 python3 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3; do
    if usable "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or 3.12 with venv found; install one (Debian: apt-get install python3-venv) or run make PYTHON=/path/to/python3.12."
}

[ -f "$lock" ] || fail "$lock does not exist; run this from a complete checkout."

fingerprint=$(cat "$bootstrap" "$lock" | (sha256sum 2>/dev/null || shasum -a 256) | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$fingerprint" ] && "$venv/bin/python" -c '' 2>/dev/null; then
  if [ -z "${PYTHON:-}" ] || [ "$("$venv/bin/python" -c 'import sys; print(sys.version_info[:2])')" = "$("$PYTHON" -c 'import sys; print(sys.version_info[:2])')" ]; then
    exit 0
  fi
fi

rm -f "$stamp"
python=$(choose_python)
wanted=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ -d "$venv" ]; then
  found=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
  # An environment of another Python is replaced only if PYTHON asks for one.
  if [ -z "$found" ] || { [ -n "${PYTHON:-}" ] && [ "$found" != "$wanted" ]; }; then
    rm -rf "$venv"
  fi
fi
if [ ! -d "$venv" ]; then
  printf '%s\n' "setup: $venv: new environment with Python $wanted"
  "$python" -m venv "$venv" || { rm -rf "$venv"; fail "$python -m venv failed; on Debian, apt-get install python3-venv."; }
fi

uv_wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' "$bootstrap")
uv_found=$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2 || true)
if [ "$uv_found" != "$uv_wanted" ]; then
  printf '%s\n' "setup: $venv: uv $uv_wanted"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps \
    -r "$bootstrap" || fail "pip cannot install uv $uv_wanted; check that the package index can be reached, then run this again."
fi

printf '%s\n' "setup: $venv: $(grep -c '^[a-z0-9]' "$lock") packages of $(basename "$lock")"
# Compile now: otherwise the first import compiles, and a read-only environment or
# PYTHONDONTWRITEBYTECODE never keeps the result. Every Airflow task would compile hundreds of modules.
"$venv/bin/uv" pip sync --no-config --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes "$lock" ||
  fail "uv cannot install $lock (see its message above); fix the cause and run this again."
printf '%s\n' "$fingerprint" >"$stamp"
