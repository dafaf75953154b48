#!/usr/bin/env bash
# Builds the published package, installs it into an empty project and runs it there on a real server.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf dist
npm run -s build
tarball=$(npm pack ./dist --silent --pack-destination "${TMPDIR:-/tmp}")
project=$(mktemp -d)
trap 'rm -rf "$project" "${TMPDIR:-/tmp}/$tarball"' EXIT
# `node` as in this repository: the machine's own may be too old.
version=$(node -p 'require("./package.json").devDependencies.node')
echo "{\"private\":true,\"allowScripts\":{\"node\":true}}" >"$project/package.json"
cd "$project"
npm install --silent --no-audit --no-fund "node@$version" "${TMPDIR:-/tmp}/$tarball"
npx crucible list --json >list.json
npx node -e 'const rows = JSON.parse(require("fs").readFileSync("list.json")); if (rows.length < 200) process.exit(1)'
npx crucible run 'CS.versions.*' 'CS.login.*' --topology one
# The auth service of our own starts compiled too.
npx crucible run MSC3861.meta.get 'MSC3861.refresh.*'
# And so does the service that gives tokens for calls.
npx crucible run MSC4195.token.claims LKJWT.openid.happy
npx crucible tardis export node_modules/matrix-crucible/tardis/examples/reset-class-a.json5 -o room.html
grep -q "Content-Security-Policy" room.html
