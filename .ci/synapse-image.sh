#!/usr/bin/env bash
# Builds the image that the docker tests run: drivers/synapse/Dockerfile as crucible-synapse:latest.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
docker build -t crucible-synapse drivers/synapse >"$log" 2>&1 || {
  tail -n 30 "$log"
  exit 1
}
rm -f "$log"
