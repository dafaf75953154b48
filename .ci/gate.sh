#!/usr/bin/env bash
# What action.yml and .ci/gitlab.yml do, in a homeserver's repository. What is run stands in the CRUCIBLE_* variables that
# `crucible run` reads by itself; CRUCIBLE_BASELINE is the file in that repository by which the gate judges.
#
#   gate.sh run <copy> [id…]   run, or one shard of it; <copy> gets what everybody may see of it
#   gate.sh judge <run>…       judge runs by the base branch's baseline; reports go to $CRUCIBLE_REPORTS (crucible-reports)
#   gate.sh key                print what a cache of installed servers depends on
set -uo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

crucible() { node "$home/cli/bin.js" "$@"; }

# GitHub's runner obeys what looks like one of its commands, and reports quote servers.
quoting() {
  if [ "${GITHUB_ACTIONS:-}" != true ]; then
    "$@"
    return
  fi
  local token code
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$token"
  "$@"
  code=$?
  echo "::$token::"
  return "$code"
}

run() {
  local copy=${1:?} code
  shift
  # A baseline here would judge a single shard by the whole.
  unset CRUCIBLE_BASELINE
  if [ -z "${CRUCIBLE_SHARD:-}" ] && [ "${CI_NODE_TOTAL:-1}" -gt 1 ]; then
    export CRUCIBLE_SHARD="$CI_NODE_INDEX/$CI_NODE_TOTAL"
  fi
  # With what sensitive checks saw: it stays on this machine.
  export CRUCIBLE_OUT="${CRUCIBLE_OUT:-.runs/gate}"
  quoting crucible run "$@"
  code=$?
  # A shard more than there is to do has no run; whether one is missing is the gate's to say.
  if [ -e "$CRUCIBLE_OUT" ]; then crucible report "$CRUCIBLE_OUT" --share "$copy" || return; fi
  # What a server misses is the gate's to judge.
  if [ "$code" = 1 ]; then code=0; fi
  return "$code"
}

# Prints the file to judge by. A pull request does not judge itself: while the base branch has a baseline, that one counts.
baseline_file() {
  local file=$1 copy=$2 branch=${GITHUB_BASE_REF:-${CI_MERGE_REQUEST_TARGET_BRANCH_NAME:-}}
  if [ -n "$branch" ]; then
    git fetch --quiet --depth 1 origin "refs/heads/$branch" || {
      echo "error the base branch $branch can not be fetched" >&2
      echo "next: check out with a remote named origin, and a token that may read" >&2
      return 2
    }
    if git show "FETCH_HEAD:./$file" >"$copy" 2>/dev/null; then
      echo "$copy"
      return
    fi
    rm -f "$copy"
    echo "the base branch $branch has no $file yet: that of this change is used" >&2
  fi
  if [ ! -f "$file" ]; then
    echo "error there is no baseline $file" >&2
    echo "next: write it with \`crucible run --baseline $file --update-baseline\`, or take baseline.jsonl of a run's reports, and commit it" >&2
    return 2
  fi
  echo "$file"
}

judge() {
  local out=${CRUCIBLE_REPORTS:-crucible-reports} baseline code format=console
  local -a runs=() strict=() expect=()
  if [ $# = 0 ]; then
    echo "error no run is named" >&2
    echo "next: name the folders of all shards" >&2
    return 2
  fi
  for folder in "$@"; do runs+=(--run "$folder"); done
  if [ "${CRUCIBLE_STRICT:-false}" = true ]; then strict=(--strict); fi
  if [ -n "${CRUCIBLE_EXPECT:-}" ]; then expect=(--expect "$CRUCIBLE_EXPECT"); fi
  if [ "${GITHUB_ACTIONS:-}" = true ]; then format=github; fi
  mkdir -p "$out" || return 3
  baseline=$(baseline_file "${CRUCIBLE_BASELINE:-crucible-baseline.jsonl}" "$out/base.jsonl") || return
  local -a by=(--baseline "$baseline" "${runs[@]}" ${strict[@]+"${strict[@]}"})

  crucible gate "${by[@]}" --json >"$out/gate.json"
  code=$?
  # Told once, by the command itself: there is nothing to render.
  if [ "$code" = 2 ]; then return 2; fi
  crucible gate "${by[@]}" --format markdown --out "$out/gate.md"
  # Its output is made for the runner, so that what it quotes is escaped already.
  crucible gate "${by[@]}" --format "$format" ${expect[@]+"${expect[@]}"}
  crucible report "$@" --format junit --out "$out/junit.xml" --allure "$out/allure-results" --badges "$out/badges"
  crucible report "$@" --format baseline --out "$out/baseline.jsonl" || echo "no new baseline is written" >&2
  if [ -n "${GITHUB_OUTPUT:-}" ]; then
    node -e '
      const { verdict, regressions, fixed } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
      console.log(`verdict=${verdict}\nregressed=${regressions.length}\nfixed=${fixed.length}`);
    ' "$out/gate.json" >>"$GITHUB_OUTPUT"
  fi
  return "$code"
}

case "${1:-}" in
  run | judge)
    "$@"
    exit
    ;;
  key)
    sha256sum "$home/package-lock.json" | cut -c1-16
    ;;
  *)
    echo "error gate.sh knows run, judge and key" >&2
    exit 2
    ;;
esac
