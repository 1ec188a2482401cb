#!/usr/bin/env bash
# Resolve the *.in files into the lock files, for Python 3.11 and 3.12 at once, with hashes.
#
#   tools/lock.sh write [--upgrade | --upgrade-package NAME …]
#   tools/lock.sh check
#
# Every resolution prefers the versions of the committed locks. So a new release changes nothing until
# somebody asks for it with --upgrade, and `check` fails only when a *.in file and its lock disagree.
set -euo pipefail

usage='usage: tools/lock.sh write [--upgrade | --upgrade-package NAME …] | check
Resolve the *.in files into the lock files, or check that they still agree.'
case ${1:-} in -h | --help) echo "$usage"; exit ;; esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
uv=${UV:-.venv/bin/uv}
mode=${1:-check}
shift || true

compile() { # in-file lock-file [options]: resolves into $out/lock-file
  local source=$1 lock=$2
  shift 2
  "$uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$source" -o "$lock" "$@"
}

resolve_all() { # options for every resolution
  compile requirements.in requirements.txt "$@"
  compile requirements-dev.in requirements-dev.txt -c requirements.txt "$@"
  # The floor differs from the development environment only in Airflow, so start from the versions
  # that are resolved there.
  [ -s requirements-floor.txt ] || sed '/^apache-airflow\(-core\|-task-sdk\)\?==/,/^    # via/d' requirements-dev.txt >requirements-floor.txt
  compile requirements-floor.in requirements-floor.txt "$@"
  compile requirements-bootstrap.in requirements-bootstrap.txt -c requirements-dev.txt "$@"
}

case $mode in
write)
  resolve_all "$@"
  git --no-pager diff --stat -- 'requirements*.txt'
  ;;
check)
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  cp requirements*.in requirements*.txt "$scratch"
  case $uv in /*) ;; *) uv=$root/$uv ;; esac
  if ! (cd "$scratch" && resolve_all) >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    if grep -q -i -E 'no solution found|unsatisfiable|because ' "$scratch/log"; then
      echo "lock: requirements*.in cannot be resolved; correct the bounds and run make lock." >&2
      exit 1
    fi
    echo "lock: not checked, because the package index cannot be reached (see its message above)."
    exit 0
  fi
  status=0
  for lock in requirements*.txt; do
    diff -u "$lock" "$scratch/$lock" || status=1
  done
  if [ $status -ne 0 ]; then
    echo "lock: a lock is not what its *.in file resolves to; run make lock and commit the result." >&2
    exit 1
  fi
  echo "lock: every lock is what its *.in file resolves to."
  ;;
*)
  echo "lock: unknown mode $mode; use write or check." >&2
  exit 2
  ;;
esac
