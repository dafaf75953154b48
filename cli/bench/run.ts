/** How long a user waits: until the first verdict, and for all of core. The peer is the bare start of the same Synapse. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT } from "#cli/run/session";
import { synapse } from "#drivers/synapse/index";
import { parseServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS } from "#harness/deployment/contract";
import { CertificateAuthority } from "#harness/gateway/ca";
import type { Figure } from "./figure.ts";

const REPETITIONS = 3;
const RUN_TIMEOUT_MS = 600_000;

export async function benchStartup(): Promise<readonly Figure[]> {
  const first: number[] = [];
  const bare: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    first.push((await run(["CS.versions.get"])).firstVerdictMs);
    bare.push(await bareStart());
  }
  return [
    {
      name: "start to first verdict, two servers (median)",
      value: median(first) / 1000,
      unit: "s",
      peer: { name: "bare start of one Synapse", value: median(bare) / 1000 },
    },
  ];
}

export async function benchThroughput(): Promise<readonly Figure[]> {
  const { totalMs, checks, firstVerdictMs } = await run(["--suite", "core"]);
  return [
    { name: "all of core, start to report", value: totalMs / 1000, unit: "s" },
    { name: "core: first verdict", value: firstVerdictMs / 1000, unit: "s" },
    {
      name: "core: checks per second after the first",
      value: checks / ((totalMs - firstVerdictMs) / 1000),
      unit: "1/s",
    },
  ];
}

async function run(
  args: readonly string[],
): Promise<{ firstVerdictMs: number; totalMs: number; checks: number }> {
  const out = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const started = performance.now();
  let firstVerdictMs = Number.NaN;
  const child = spawn(
    process.execPath,
    [path.join(ROOT, "cli/main.ts"), "run", ...args, "--out", out],
    {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
      timeout: RUN_TIMEOUT_MS,
    },
  );
  child.stderr.on("data", (chunk: Buffer) => {
    if (Number.isNaN(firstVerdictMs) && /\d+\/\d+ (pass|xfail|fail)/.test(chunk.toString())) {
      firstVerdictMs = performance.now() - started;
    }
  });
  await new Promise((resolve) => child.once("close", resolve));
  const totalMs = performance.now() - started;
  const lines = readFileSync(path.join(out, "results.jsonl"), "utf8").split("\n");
  rmSync(out, { recursive: true, force: true });
  return {
    firstVerdictMs,
    totalMs,
    checks: lines.filter((line) => line.includes('"kind":"check"')).length,
  };
}

/** One Synapse by the driver alone: no gateway in use, no checks. */
async function bareStart(): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const workFolder = path.join(folder, "hs1");
  mkdirSync(workFolder);
  const ca = await CertificateAuthority.create("bench");
  const caFile = path.join(folder, "ca.crt");
  writeFileSync(caFile, ca.certificate);
  const started = performance.now();
  const server = await synapse.start({
    runId: "bench",
    role: "hs1",
    name: "bench-hs1",
    spec: parseServerSpec("process:synapse"),
    features: [],
    workFolder,
    logFile: path.join(folder, "hs1.log"),
    network: {
      ca: { certificate: ca.certificate, privateKey: ca.privateKey, file: caFile },
      proxyPort: 9,
      peers: [],
      listenOn: async () => undefined,
      appservice: {
        id: "bench",
        port: 9,
        asToken: "a",
        hsToken: "h",
        senderLocalpart: "bench",
        prefix: "bench_",
      },
    },
    containers: NO_CONTAINER_SETTINGS,
    startTimeoutMs: 60_000,
    signal: new AbortController().signal,
    progress: () => undefined,
    registerProcess: () => undefined,
    onUnexpectedExit: () => undefined,
  });
  const elapsed = performance.now() - started;
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  return elapsed;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
