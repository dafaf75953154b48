/** `crucible kubernetes fault`: one fault in a cluster, for a while. */
import { setTimeout as sleep } from "node:timers/promises";
import { clockFault, linkFault, type Made, serverFault } from "#chaos/mesh/faults";
import { CLOCKS, LINK_FITS, SERVER_FITS } from "#chaos/mesh/fits";
import type { MeshResource, Place } from "#chaos/mesh/resources";
import { print, remark } from "#cli/io";
import { abortOnSignals } from "#cli/run/session";
import { namespaceOf } from "#drivers/complement-image/kubernetes/deployment";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { manifestText } from "#drivers/substrates/kubernetes/write";
import { HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { didYouMean } from "#harness/suggest";
import type { FaultKind, ServerStep } from "#scenarios/plan";
import { placeOf } from "./place.ts";

export interface FaultOptions {
  readonly run: string;
  readonly namespace?: string;
  readonly context?: string;
  readonly for?: string;
  readonly ms?: string;
  readonly dryRun?: true;
}

/** @throws HarnessError BAD_USAGE, NO_CLUSTER */
export async function fault(name: string, where: string, options: FaultOptions): Promise<void> {
  const seconds = positive("--for", options.for);
  const ms = positive("--ms", options.ms);
  const namespace = options.namespace ?? namespaceOf(options.run);
  const place = placeOf({ runId: options.run, namespace, servers: new Map() });
  const durationMs = seconds === undefined ? undefined : seconds * 1000;
  const id = `fault-${newRunId().slice(-4)}`;
  const { resources, notes } = made(name, where, { place, id, ms, durationMs });
  for (const note of notes) remark(note);
  if (resources.length === 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `Chaos Mesh has nothing for ${name} ${where}`,
      facts: notes,
      next: "crucible kubernetes faults lists what it has; crucible chaos makes the others at the gateway",
    });
  }
  if (options.dryRun) return print(manifestText(resources).trimEnd());
  const cluster = await Cluster.connect(options.context);
  const [first] = resources;
  if (first !== undefined && !(await cluster.knows(first.apiVersion, first.kind, namespace))) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${cluster.title} has no Chaos Mesh: it does not know ${first.kind}`,
      next: "install Chaos Mesh there, or add --dry-run to see the resources",
    });
  }
  await using registry = RunRegistry.open(newRunId());
  const { signal, release } = abortOnSignals(registry);
  await using inForce = new AsyncDisposableStack();
  inForce.defer(release);
  await makeAll(cluster, resources, inForce);
  remark(
    `${name} ${where} in ${namespace} ${seconds === undefined ? "until Ctrl-C" : `for ${seconds} s`}`,
  );
  const end = durationMs ?? 2 ** 31 - 1;
  await sleep(end, undefined, { signal }).catch(() => undefined);
  await inForce.disposeAsync();
  remark("ended");
}

/** Each is removed by itself: one that can not be must not keep the others in force. */
export async function makeAll(
  cluster: Pick<Cluster, "create" | "removeOne">,
  resources: readonly MeshResource[],
  inForce: AsyncDisposableStack,
): Promise<void> {
  for (const resource of resources) {
    // It may be there even where its making has failed: an answer can be lost.
    inForce.defer(async () => cluster.removeOne(resource));
    await cluster.create([resource]);
  }
}

interface Making {
  readonly place: Place;
  readonly id: string;
  readonly ms: number | undefined;
  readonly durationMs: number | undefined;
}

function made(name: string, where: string, { place, id, ms, durationMs }: Making): Made {
  const limits = { durationMs };
  if (Object.hasOwn(LINK_FITS, name)) {
    const links = where.split(",");
    const wrong = links.find((link) => !/^hs\d>hs\d$/.test(link));
    if (wrong !== undefined) throw badPlace(name, wrong, "links, such as 'hs1>hs2,hs2>hs1'");
    const step = { fault: name as FaultKind, id, links, ...(ms === undefined ? {} : { ms }) };
    return linkFault(step, place, limits);
  }
  if (!/^hs\d$/.test(where)) throw badPlace(name, where, "one server, such as hs2");
  const clock = CLOCKS.find((one) => one === name);
  if (clock !== undefined) return clockFault(where, clock, id, place, limits);
  if (Object.hasOwn(SERVER_FITS, name)) {
    return serverFault({ server: where, action: name as ServerStep["action"] }, id, place, limits);
  }
  throw new HarnessError("BAD_USAGE", {
    what: `there is no fault ${name}`,
    next: didYouMean(name, [...Object.keys(LINK_FITS), ...Object.keys(SERVER_FITS), ...CLOCKS]),
  });
}

function badPlace(name: string, where: string, wanted: string): HarnessError {
  return new HarnessError("BAD_USAGE", {
    what: `${name} can not be at ${where}`,
    next: `name ${wanted}`,
  });
}

function positive(flag: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isFinite(value) && value > 0 && value < 2_000_000) return value;
  throw new HarnessError("BAD_USAGE", {
    what: `${flag} is ${given}`,
    next: "give a number above 0",
  });
}
