/** `npm run bench -- [startup] [throughput] [gateway] [--json]`: measured figures, each beside its peer of the same run. */

import { print, printJson } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import type { Figure } from "./figure.ts";
import { benchGateway } from "./gateway.ts";
import { benchStartup, benchThroughput } from "./run.ts";

const BENCHES: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  startup: benchStartup,
  throughput: benchThroughput,
  gateway: benchGateway,
};

const given = process.argv.slice(2);
if (given.includes("--help")) {
  print("usage: npm run bench -- [startup] [throughput] [gateway] [--json]");
  process.exit(0);
}
const names = given.filter((argument) => !argument.startsWith("-"));
const figures: Figure[] = [];
for (const name of names.length > 0 ? names : Object.keys(BENCHES)) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    const error = new HarnessError("BAD_USAGE", {
      what: `there is no benchmark ${name}`,
      next: didYouMean(name, Object.keys(BENCHES)),
    });
    process.stderr.write(`error ${error.message}\n`);
    process.exit(2);
  }
  figures.push(...(await bench()));
}
if (given.includes("--json")) printJson(figures);
else for (const figure of figures) print(line(figure));

function line({ name, value, unit, peer }: Figure): string {
  const own = `${name.padEnd(44)} ${format(value).padStart(9)} ${unit.padEnd(9)}`;
  if (peer === undefined) return own;
  return `${own} ${peer.name}: ${format(peer.value)} ${unit} (ratio ${(value / peer.value).toFixed(2)})`;
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3);
}
