/** Which kinds of faults a plan has, by the names that they are chosen by. */
import {
  type FaultStep,
  isAuthRole,
  operationsOf,
  type Plan,
  type ServerStep,
} from "#scenarios/plan";

/** Faults under which nothing gets through. */
const CUTTING: readonly FaultStep["fault"][] = [
  "refuse",
  "reset",
  "blackhole",
  "drop-request",
  "wrong-certificate",
  "disconnect",
  "status",
];

/** True for faults under which nothing gets through, so that nobody need wait for it. */
export function isCut({ fault, path, times }: FaultStep): boolean {
  return path === undefined && times === undefined && CUTTING.includes(fault);
}

/** Whether what this server sends, or what is sent to it, is cut by some of these faults. */
export function isInSplit(role: string, faults: readonly FaultStep[]): boolean {
  return faults.some(
    (step) =>
      isCut(step) &&
      !isAuthFault(step) &&
      step.links.some((link) => link.split(">").includes(role)),
  );
}

/** What ends the harm to a server that lasts. */
export const HARM_ENDS: ReadonlyMap<ServerStep["action"], ServerStep["action"]> = new Map([
  ["pause", "resume"],
  ["kill", "start"],
  ["stop", "start"],
  ["fill-disk", "free-disk"],
]);

/** What harm to a server is called when it comes in a split. */
export function inSplit(action: string): string {
  return `${action}-in-split`;
}

/** What harm to an auth service, or to the links between it and its server, is called. */
export function ofAuth<Kind extends string>(kind: Kind): `${Kind}-auth` {
  return `${kind}-auth`;
}

/** True for a fault of the links between a server and its auth service. */
function isAuthFault({ links }: Pick<FaultStep, "links">): boolean {
  return links.some((link) => link.split(">").some(isAuthRole));
}

/** What a fault is chosen by. */
export function kindOfFault(step: FaultStep): string {
  return isAuthFault(step) ? ofAuth(step.fault) : step.fault;
}

/** Faults of links, what happens to servers (`restart-in-split`: of one that is cut off), what clients and clocks do. */
export function kindsIn(plan: Plan): ReadonlySet<string> {
  const kinds = new Set<string>();
  const inForce = new Map<string, FaultStep>();
  for (const step of plan.steps) {
    if ("fault" in step) {
      inForce.set(step.id, step);
      kinds.add(kindOfFault(step));
    } else if ("converge" in step || ("heal" in step && step.heal === "all")) inForce.clear();
    else if ("heal" in step) for (const id of step.heal) inForce.delete(id);
    else if ("server" in step && isAuthRole(step.server)) kinds.add(ofAuth(step.action));
    else if ("server" in step) {
      kinds.add(step.action);
      if (isInSplit(step.server, [...inForce.values()])) kinds.add(inSplit(step.action));
    }
  }
  for (const { client, ahead } of operationsOf(plan)) {
    if (client !== undefined) kinds.add(client);
    if (ahead !== undefined) kinds.add("clock-ahead");
  }
  return kinds;
}
