/** What a Synapse process starts as that is not forked (fork-server.ts). */
import type { Feature } from "#harness/deployment/contract";

const APART_S = 30;

/**
 * Without collecting garbage meanwhile: Synapse takes it over itself once it runs, and while its modules are read there is none
 * (measured: a fifth of the time to read them).
 */
const STARTER = `
import gc, runpy
gc.disable()
runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)
`;

/** With a clock that is not that of the machine, before Synapse and Twisted take the function over. TLS and timers go by others. */
const APART = `
import sys, time
apart, read = float(sys.argv.pop(1)), time.time
time.time = lambda: read() + apart
`;

/** The first server has the right time, whatever the features. */
export function hasWrongTime(role: string, features: readonly Feature[]): boolean {
  return signOf(role, features) !== 0;
}

/** Arguments of Python. */
export function argumentsOf(role: string, features: readonly Feature[]): readonly string[] {
  const sign = signOf(role, features);
  if (sign === 0) return ["-c", STARTER];
  return ["-c", `${APART}${STARTER}`, String(sign * APART_S)];
}

function signOf(role: string, features: readonly Feature[]): number {
  if (role === "hs1") return 0;
  if (features.includes("clock-ahead")) return 1;
  return features.includes("clock-behind") ? -1 : 0;
}
