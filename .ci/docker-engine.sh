#!/usr/bin/env bash
# Makes sure that a container engine answers: the one that runs, else Debian's, installed and started here. The last line
# tells why there is none. What it starts lives until the machine ends the session or the job.
set -uo pipefail

answers() { docker version >/dev/null 2>&1; }

if answers; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "no engine answers, and only root can install and start one"
  exit 1
fi
if ! command -v dockerd >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  if ! command -v apt-get >/dev/null; then
    echo "no engine answers, and this machine has no apt-get to install one"
    exit 1
  fi
  apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi
if ! command -v dockerd >/dev/null; then
  echo "docker.io could not be installed from Debian's packages"
  exit 1
fi
log=$(mktemp /tmp/crucible-dockerd.XXXXXX.log)
setsid nohup dockerd >"$log" 2>&1 </dev/null &
for _ in $(seq 150); do
  answers && exit 0
  sleep 0.2
done
tail -n 3 "$log"
echo "dockerd did not answer within 30 s, its log is $log: $(tail -n 1 "$log")"
exit 1
