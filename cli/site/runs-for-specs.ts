/** Stored runs for specs and benchmarks of the site. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { CheckResult, Evidence, Outcome, RunHeader } from "#harness/results/outcome";
import { RunDirectory, readRun, type StoredRun } from "#harness/results/run-directory";

export interface RunForSpecs {
  readonly results: readonly CheckResult[];
  readonly evidence?: readonly Evidence[];
  /** Files within the run directory. */
  readonly files?: Readonly<Record<string, string>>;
  readonly header?: Partial<RunHeader>;
  /** Of `run.json`. */
  readonly trouble?: string;
}

export function storedRun(folder: string, run: RunForSpecs) {
  const { results, evidence = [], files = {}, header = {}, trouble } = run;
  const directory = RunDirectory.create(folder);
  const names = [...new Set(results.map(({ deployment }) => deployment))];
  directory.writeHeader({
    kind: "run",
    harness: "0.1.0",
    requirements: "h",
    seed: 7,
    deployments: names.map((name) => {
      const [server = "", topology = ""] = name.split("/");
      const [implementation = "", version = ""] = server.split("@");
      const driver = `process:${server}`;
      return { name, topology, servers: [{ role: "hs1", implementation, version, driver }] };
    }),
    ...header,
  });
  directory.finish(results, { exitCode: 0, ...(trouble === undefined ? {} : { trouble }) });
  const lines = evidence.map((one) => `${JSON.stringify(one)}\n`);
  writeFileSync(path.join(folder, "evidence.jsonl"), lines.join(""));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return readRun(folder);
}

export function resultOf(
  requirement: string,
  outcome: Outcome,
  more: Partial<CheckResult> = {},
): CheckResult {
  return {
    kind: "check",
    deployment: "synapse@1.163.2/one/sqlite",
    suite: "core",
    requirement,
    level: "MUST",
    check: "the server does",
    outcome,
    durationMs: 5,
    ...(outcome === "pass" ? {} : { reason: `why it is ${outcome}` }),
    ...more,
  };
}

export function evidenceOf(
  { deployment, requirement, check }: CheckResult,
  text: string,
): Evidence {
  return {
    deployment,
    requirement,
    check,
    expected: `expected ${text}`,
    actual: `actual ${text}`,
    message: `message ${text}`,
    exchanges: ["main#1", "main#2"],
    exchange: `GET /x\n-> 500 application/json\n{"errcode":"${text}"}`,
    logs: [`log ${text}`],
    notes: [`note ${text}`],
    replay: `replay/${requirement}-1.replay.ndjson`,
  };
}

/** As the gateway writes it. */
export function traceLine(id: string, body: string): string {
  const message = { headers: {}, bytes: body.length, body };
  const ends = { from: "client", to: "hs1", method: "GET", path: "/_matrix/client/versions" };
  const exchange = { id, at: 1, durationMs: 3, ...ends, request: message, status: 200 };
  return `${JSON.stringify({ ...exchange, response: message })}\n`;
}

/** Many checks on many deployments; nearly all pass, as in a real run. */
export function manyRuns(folder: string, checks: number, deployments: number): StoredRun {
  const results = Array.from({ length: deployments }, (_, at) => {
    const deployment = `synapse@1.${100 + at}.0/two/sqlite`;
    return Array.from({ length: checks }, (_, number) => {
      const id = `CS.area-${Math.floor(number / 25)}.rule-${number}`;
      const outcome = outcomeAt(number * 31 + at * 7);
      return resultOf(id, outcome, { deployment, level: number % 5 === 0 ? "SHOULD" : "MUST" });
    });
  }).flat();
  const failed = results.filter(({ outcome }) => outcome === "fail");
  return storedRun(folder, { results, evidence: failed.map((one) => evidenceOf(one, "X")) });
}

function outcomeAt(number: number): Outcome {
  if (number % 50 === 0) return "fail";
  if (number % 37 === 0) return "xfail";
  return number % 11 === 0 ? "skip" : "pass";
}
