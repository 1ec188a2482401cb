#!/usr/bin/env bash
# Resolves the *.in files into the lock files, for Python 3.11 and 3.12 at once, with hashes.
#
#   tools/lock.sh write [--upgrade | --upgrade-package NAME …]
#   tools/lock.sh check
#
# The committed locks are the preference of every resolution: a new release upstream changes nothing until somebody asks
# for it with --upgrade, so `check` goes red only when a *.in file and its lock disagree.
set -euo pipefail

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
  # the floor differs from the development environment in Airflow alone: start from what is resolved there
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
      echo "lock: requirements*.in cannot be resolved any more; mend the bounds and run make lock." >&2
      exit 1
    fi
    echo "lock: not checked, because the package index could not be asked (its message stands above)."
    exit 0
  fi
  status=0
  for lock in requirements*.txt; do
    diff -u "$lock" "$scratch/$lock" || status=1
  done
  if [ $status -ne 0 ]; then
    echo "lock: a lock differs from what its *.in file resolves to; run make lock and commit the result." >&2
    exit 1
  fi
  echo "lock: resolved again, nothing differs."
  ;;
*)
  echo "lock: unknown mode $mode; use write or check." >&2
  exit 2
  ;;
esac
