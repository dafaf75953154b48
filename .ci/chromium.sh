#!/usr/bin/env bash
# Makes sure that there is a Chromium for the specs of the viewer: the one of the machine, else Debian's, installed here. The
# last line tells why there is none.
set -uo pipefail

found() {
  [ -x "${CRUCIBLE_CHROMIUM:-}" ] && return 0
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && return 0
  done
  return 1
}

if found; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "no Chromium is installed, and only root can install one"
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "no Chromium is installed, and this machine has no apt-get to install one"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
if found; then exit 0; fi
echo "chromium could not be installed from the packages of this machine"
exit 1
