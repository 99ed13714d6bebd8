# Sourced by scripts/demo and scripts/test: goes to the root of the repository and defines step.
# shellcheck shell=bash

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit 4

# Checkouts in different places, and build/ and build-test/, share what ccache keeps.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# What ccache has to be allowed to keep objects that were made with a precompiled header.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

# step LOG LABEL COMMAND...: prints the label and the seconds it took; the output goes to LOG, and
# its end to the terminal if the command fails.
step() {
  local log=$1 label=$2 start=$SECONDS rc=0
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '%-58s ' "$label"
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  if ((rc == 0)); then
    echo "ok, $((SECONDS - start)) s"
  else
    echo "FAILED (exit code $rc), $((SECONDS - start)) s"
    tail -n 40 "$log" | sed 's/^/    /'
    echo "    the whole output: $log"
  fi
  return "$rc"
}
