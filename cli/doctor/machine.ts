/** Probes of the machine: what a run would stumble over later, said before it does. */
import { statfsSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import Docker from "dockerode";
import { findPython } from "#drivers/substrates/process/python";
import { HarnessError } from "#harness/errors";

export interface Probe {
  readonly name: string;
  /** `warn` does not keep a default run from working. */
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly next?: string;
}

/** Oldest Docker API that the docker substrate was seen to work on. */
const MIN_DOCKER_API = 1.41;
const MIN_FREE_BYTES = 1024 ** 3;

export async function probeMachine(): Promise<readonly Probe[]> {
  return await Promise.all([
    probeNode(),
    probePython(),
    probeDocker(),
    probeDisk(),
    probeLoopback(),
    probeClock(),
  ]);
}

async function probeNode(): Promise<Probe> {
  return { name: "node", state: "ok", detail: process.versions.node };
}

async function probePython(): Promise<Probe> {
  try {
    return { name: "python", state: "ok", detail: await findPython() };
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    return {
      name: "python",
      state: "fail",
      detail: error.what,
      ...(error.next === undefined ? {} : { next: error.next }),
    };
  }
}

async function probeDocker(): Promise<Probe> {
  const name = "docker";
  const next = "only --hs docker:… needs it; start the engine, or set DOCKER_HOST";
  try {
    const { ApiVersion, Version } = await new Docker({ timeout: 3_000 }).version();
    const state = Number(ApiVersion) >= MIN_DOCKER_API ? "ok" : "warn";
    return {
      name,
      state,
      detail: `engine ${Version}, API ${ApiVersion}`,
      ...(state === "ok" ? {} : { next: `API ${MIN_DOCKER_API} or newer` }),
    };
  } catch {
    return { name, state: "warn", detail: "no engine answers", next };
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
  const error = await new Promise<Error | undefined>((resolve) => {
    const server = createServer().once("error", resolve);
    server.listen(0, "127.77.77.77", () => server.close(() => resolve(undefined)));
  });
  if (error === undefined)
    return { name: "loopback", state: "ok", detail: "127.0.0.0/8 can be used" };
  return {
    name: "loopback",
    state: "warn",
    detail: `only 127.0.0.1: ${error.message}`,
    next: "servers share 127.0.0.1 with different ports",
  };
}

/** Certificates and timestamps of events need a clock that is not years off. */
async function probeClock(): Promise<Probe> {
  const now = new Date();
  const isPlausible = now.getFullYear() >= 2025;
  const detail = now.toISOString();
  if (isPlausible) return { name: "clock", state: "ok", detail };
  return { name: "clock", state: "fail", detail, next: "set the machine's clock" };
}
