/** A Synapse whose clock is not that of the machine: what it starts as then. */
import type { Feature } from "#harness/deployment/contract";

const APART_S = 30;

/** Before Synapse and Twisted take the function over. TLS and timers go by clocks of their own. */
const STARTER = `
import runpy, sys, time
apart, read = float(sys.argv.pop(1)), time.time
time.time = lambda: read() + apart
runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)
`;

/** Arguments of Python. The first server has the right time, whatever the features. */
export function argumentsOf(role: string, features: readonly Feature[]): readonly string[] {
  const sign = features.includes("clock-ahead") ? 1 : features.includes("clock-behind") ? -1 : 0;
  if (sign === 0 || role === "hs1") return ["-m", "synapse.app.homeserver"];
  return ["-c", STARTER, String(sign * APART_S)];
}
