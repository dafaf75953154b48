/** The faults of a plan, step by step: what is to be applied, and what is to be deleted again. */
import { isAuthRole, type Plan, type Step } from "#scenarios/plan";
import { linkFault, serverFault } from "./faults.ts";
import { AHEAD_NOTE } from "./fits.ts";
import { type MeshResource, type Place, timeChaos } from "./resources.ts";

export interface MeshStep {
  /** Of the plan's steps, from 1. */
  readonly number: number;
  readonly title: string;
  readonly apply: readonly MeshResource[];
  readonly remove: readonly MeshResource[];
  readonly notes: readonly string[];
}

/** What the end of a harm to a server takes away. */
const ENDS: Readonly<Record<string, string>> = {
  resume: "pause",
  start: "stop",
  "free-disk": "fill-disk",
};

/** Only steps that do something to links, servers or clocks: what users say is for `crucible chaos` to tell. */
export function meshPlan(plan: Plan, place: Place): readonly MeshStep[] {
  const inForce = new Map<string, readonly MeshResource[]>();
  const all = plan.steps.map((step, index) => meshStep(step, index + 1, { plan, place, inForce }));
  return all.filter(
    (step) => step !== undefined && step.apply.length + step.remove.length + step.notes.length > 0,
  ) as readonly MeshStep[];
}

interface Progress {
  readonly plan: Plan;
  readonly place: Place;
  readonly inForce: Map<string, readonly MeshResource[]>;
}

function meshStep(step: Step, number: number, progress: Progress): MeshStep | undefined {
  const { place, inForce } = progress;
  if ("fault" in step) {
    const { resources, notes } = linkFault(step, place);
    inForce.set(step.id, resources);
    return {
      number,
      title: step.title ?? titleOf(step.fault, step.links),
      apply: resources,
      remove: [],
      notes,
    };
  }
  if ("heal" in step) {
    const ids = step.heal === "all" ? [...inForce.keys()] : step.heal;
    return {
      number,
      title: `heal ${ids.join(" ")}`,
      apply: [],
      remove: take(inForce, ids),
      notes: [],
    };
  }
  if ("converge" in step) {
    return {
      number,
      title: "all faults end",
      apply: [],
      remove: take(inForce, [...inForce.keys()]),
      notes: [],
    };
  }
  if ("server" in step) {
    const { server, action } = step;
    const ended = ENDS[action];
    const { resources, notes } = serverFault(step, `step-${number}-${action}-${server}`, place);
    if (resources.length > 0 && !isAuthRole(server)) inForce.set(`${action} ${server}`, resources);
    const remove = ended === undefined ? [] : take(inForce, [`${ended} ${server}`]);
    return { number, title: `${action} ${server}`, apply: resources, remove, notes };
  }
  return aheadStep(step, number, progress);
}

/** An operation whose author's clock is ahead: the server's is, until the next step that heals. */
function aheadStep(
  step: Step,
  number: number,
  { plan, place, inForce }: Progress,
): MeshStep | undefined {
  const operations = "together" in step ? step.together : "op" in step ? [step] : [];
  const found = operations.find(({ ahead }) => ahead !== undefined);
  const server = found === undefined ? undefined : plan.users[found.by];
  if (found?.ahead === undefined || server === undefined) return undefined;
  const name = `step-${number}-clock-${server}`;
  const apply = [timeChaos({ place, name, note: AHEAD_NOTE }, server, found.ahead)];
  inForce.set(`clock ${server} ${number}`, apply);
  return { number, title: `clock of ${server} ahead`, apply, remove: [], notes: [AHEAD_NOTE] };
}

function take(
  inForce: Map<string, readonly MeshResource[]>,
  ids: readonly string[],
): readonly MeshResource[] {
  return ids.flatMap((id) => {
    const resources = inForce.get(id) ?? [];
    inForce.delete(id);
    return resources;
  });
}

function titleOf(fault: string, links: readonly string[]): string {
  return `${fault} ${links.join(" ")}`;
}
