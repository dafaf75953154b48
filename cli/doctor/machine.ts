/** Probes of the machine: what a run would stumble over later, said before it does. */
import { readFileSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import Docker from "dockerode";
import { ROOT } from "#cli/run/session";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { findPython } from "#harness/python/environment";
import { compareVersions } from "#harness/versions";
import type { Probe } from "./probe.ts";

/** Oldest Docker API that the docker substrate was seen to work on. */
const MIN_DOCKER_API = "1.41";
const MIN_FREE_BYTES = 1024 ** 3;

/** What these servers do not need is a warning when it is missing. */
export async function probeMachine(specs: readonly ServerSpec[]): Promise<readonly Probe[]> {
  const missing = (isNeeded: boolean) => (isNeeded ? "fail" : "warn");
  return await Promise.all([
    probeNode(),
    probePython(missing(specs.some((spec) => spec.substrate === "process" && !spec.binary))),
    probeDocker(missing(specs.some(({ substrate }) => substrate === "docker"))),
    probeDisk(),
    probeLoopback(),
    probeClock(),
  ]);
}

async function probeNode(): Promise<Probe> {
  const { node } = process.versions;
  const { engines } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    engines: { node: string };
  };
  if (isInEngines(node, engines.node)) return { name: "node", state: "ok", detail: node };
  return { name: "node", state: "warn", detail: node, next: `use one of ${engines.node}` };
}

/** Of npm's ranges only what our `engines` uses: `^24.11.0 || >=26`. */
export function isInEngines(version: string, range: string): boolean {
  return range.split("||").some((part) => {
    const [, operator, oldest = ""] = /^\s*(\^|>=)([\d.]+)\s*$/.exec(part) ?? [];
    const isNewEnough = operator !== undefined && compareVersions(version, oldest) >= 0;
    return isNewEnough && (operator === ">=" || major(version) === major(oldest));
  });
}

function major(version: string): string | undefined {
  return version.split(".")[0];
}

async function probePython(missing: "fail" | "warn"): Promise<Probe> {
  const name = "python";
  try {
    return { name, state: "ok", detail: await findPython() };
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    const next = error.next === undefined ? {} : { next: error.next };
    return { name, state: missing, detail: error.what, ...next };
  }
}

async function probeDocker(missing: "fail" | "warn"): Promise<Probe> {
  const name = "docker";
  try {
    const { ApiVersion, Version } = await new Docker({ timeout: 3_000 }).version();
    const detail = `engine ${Version}, API ${ApiVersion}`;
    if (compareVersions(ApiVersion, MIN_DOCKER_API) >= 0) return { name, state: "ok", detail };
    return { name, state: missing, detail, next: `API ${MIN_DOCKER_API} or newer` };
  } catch {
    const next = "only --hs docker:… needs it; start the engine, or set DOCKER_HOST";
    return { name, state: missing, detail: "no engine answers", next };
  }
}

async function probeDisk(): Promise<Probe> {
  const folder = tmpdir();
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(1)} GiB free in ${folder}`;
  if (free >= MIN_FREE_BYTES) return { name: "disk", state: "ok", detail };
  return { name: "disk", state: "fail", detail, next: "free a GiB there, or set TMPDIR" };
}

/** Servers get loopback addresses of their own; macOS has only 127.0.0.1 unless aliases are made. */
async function probeLoopback(): Promise<Probe> {
  const name = "loopback";
  const error = await new Promise<Error | undefined>((resolve) => {
    const server = createServer().once("error", resolve);
    server.listen(0, "127.77.77.77", () => server.close(() => resolve(undefined)));
  });
  if (error === undefined) return { name, state: "ok", detail: "127.0.0.0/8 can be used" };
  const next = "servers share 127.0.0.1 with different ports";
  return { name, state: "warn", detail: `only 127.0.0.1: ${error.message}`, next };
}

/** Certificates and timestamps of events need a clock that is not years off. */
async function probeClock(): Promise<Probe> {
  const now = new Date();
  const detail = now.toISOString();
  if (now.getFullYear() >= 2025) return { name: "clock", state: "ok", detail };
  return { name: "clock", state: "fail", detail, next: "set the machine's clock" };
}
