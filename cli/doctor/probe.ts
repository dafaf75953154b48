import { describe, HarnessError } from "#harness/errors";

/** What one look at the machine or at a server found. */
export interface Probe {
  readonly name: string;
  /** `warn` does not keep this run from working; `skip`: it was not looked at. */
  readonly state: "ok" | "warn" | "fail" | "skip";
  readonly detail: string;
  readonly next?: string;
}

/** One step of a series: what it found, or an error that says what is wrong. */
export type Step = readonly [name: string, look: (() => Promise<string>) | undefined];

/** Runs steps that build on each other. One without a look is something that the driver can not do. */
export async function probeInOrder(steps: readonly Step[], next: string): Promise<Probe[]> {
  const probes: Probe[] = [];
  for (const [name, look] of steps) {
    if (look === undefined) {
      probes.push({ name, state: "skip", detail: "the driver does not offer it" });
    } else if (probes.some(({ state }) => state === "fail")) {
      probes.push({ name, state: "skip", detail: "not tried, since an earlier one failed" });
    } else {
      probes.push(await probe(name, look, next));
    }
  }
  return probes;
}

async function probe(name: string, look: () => Promise<string>, next: string): Promise<Probe> {
  try {
    return { name, state: "ok", detail: await look() };
  } catch (error) {
    const own = error instanceof HarnessError ? error.next : undefined;
    return { name, state: "fail", detail: describe(error), next: own ?? next };
  }
}
