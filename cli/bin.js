#!/usr/bin/env node
// Plain JavaScript, so that a Node that is too old can still say so.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 22)) {
  console.error(
    `crucible needs Node 22.22 or newer, this is ${process.versions.node}. Inside the repository: npm run -s crucible -- …`,
  );
  process.exit(2);
}
// Compiled in the published package; Node runs the source as it is everywhere else.
const isInstalled = import.meta.url.includes("/node_modules/");
const { start } = await (isInstalled ? import("./main.js") : import("./main.ts"));
await start();
