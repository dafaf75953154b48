/**
 * Makes a plan that fails small: first go epochs before the last, then faults, operations by halves and one by one, rooms, users,
 * servers and devices: what takes the most away at once comes first. What is kept is what still failed.
 */
import { operationsOf, type Plan, rolesOf } from "#scenarios/plan";
import {
  epochsIn,
  faultsOf,
  inSequence,
  mergeRooms,
  withEarlierNudged,
  withoutDevice,
  withoutEpochs,
  withoutFaults,
  withoutIdleUsers,
  withoutOperations,
  withoutRoom,
  withoutServer,
  withoutTwist,
  withoutUser,
} from "./reduce.ts";

export interface ShrinkOptions {
  /** Whether the plan fails still; called with one plan at a time. */
  readonly fails: (plan: Plan) => Promise<boolean>;
  /** At most so many calls. */
  readonly replays: number;
  /** No call begins after so long. */
  readonly timeMs: number;
  /** Epoch, from 1 on, in which something was not as it should be for the first time. */
  readonly suspect?: number;
  readonly onProgress?: (progress: ShrinkProgress) => void;
  /** Milliseconds since any moment; by the machine unless given. */
  readonly clock?: () => number;
}

export interface ShrinkProgress {
  readonly replays: number;
  readonly operations: number;
  /** What is being taken away. */
  readonly pass: string;
  /** The last one failed still and was kept. */
  readonly isSmaller: boolean;
}

export interface Shrunk {
  readonly plan: Plan;
  readonly replays: number;
  /** Nothing more can be taken away; otherwise the budget was used up. */
  readonly isMinimal: boolean;
}

interface Pass {
  readonly name: string;
  /** Candidates; asked again after each that was kept. */
  readonly candidates: (plan: Plan, suspect: number) => Iterable<Plan | undefined>;
}

/** @param plan one that fails; that is not tried again */
export async function shrinkPlan(plan: Plan, options: ShrinkOptions): Promise<Shrunk> {
  const { fails, replays: most, timeMs, suspect = 1, onProgress } = options;
  const { clock = () => performance.now() } = options;
  const deadline = clock() + timeMs;
  let best = plan;
  let replays = 0;
  const tried = new Set([textOf(plan)]);
  /** Null: the budget is used up. */
  const attempt = async (pass: string, candidate: Plan | undefined): Promise<boolean | null> => {
    if (candidate === undefined) return false;
    const text = textOf(candidate);
    if (tried.has(text)) return false;
    if (replays >= most || clock() >= deadline) return null;
    tried.add(text);
    replays += 1;
    const isSmaller = await fails(candidate);
    if (isSmaller) best = candidate;
    onProgress?.({ replays, operations: operationsOf(best).length, pass, isSmaller });
    return isSmaller;
  };
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (const { name, candidates } of PASSES) {
      for (let again = true; again; ) {
        again = false;
        for (const candidate of candidates(best, best === plan ? suspect : 1)) {
          const outcome = await attempt(name, candidate);
          if (outcome === null) return { plan: best, replays, isMinimal: false };
          if (!outcome) continue;
          hasChanged = true;
          again = true;
          break;
        }
      }
    }
  }
  return { plan: best, replays, isMinimal: true };
}

const PASSES: readonly Pass[] = [
  {
    name: "epochs",
    candidates: (plan, suspect) => {
      const earlier = Array.from({ length: epochsIn(plan) - 1 }, (_, at) => at + 1);
      const [all = [], ...others] = portions(earlier);
      const innocent = earlier.filter((epoch) => epoch < suspect);
      const groups = innocent.length === 0 ? [all, ...others] : [all, innocent, ...others];
      return groups.map((some) => withEarlierNudged(withoutEpochs(plan, new Set(some))));
    },
  },
  {
    name: "faults",
    candidates: (plan) =>
      portions(faultsOf(plan)).map((some) => withoutFaults(plan, new Set(some))),
  },
  {
    name: "operations",
    candidates: (plan) =>
      portions(operationsOf(plan).map(({ id }) => id)).map((some) =>
        withoutOperations(plan, new Set(some)),
      ),
  },
  {
    name: "rooms",
    candidates: (plan) => {
      const rooms = Object.keys(plan.rooms);
      return [
        ...rooms.map((room) => withoutRoom(plan, room)),
        ...rooms.flatMap((from) =>
          rooms.flatMap((into) => (from === into ? [] : [mergeRooms(plan, from, into)])),
        ),
      ];
    },
  },
  {
    name: "users",
    candidates: (plan) => [
      withoutIdleUsers(plan),
      ...Object.keys(plan.users).map((user) => withoutUser(plan, user)),
    ],
  },
  {
    name: "servers",
    candidates: (plan) => rolesOf(plan).map((role) => withoutServer(plan, role)),
  },
  {
    name: "devices",
    candidates: (plan) =>
      Array.from({ length: plan.devices ?? 1 }, (_, at) => withoutDevice(plan, at + 1)).reverse(),
  },
  {
    name: "races and twists",
    candidates: (plan) => [
      ...plan.steps.flatMap((step, at) => ("together" in step ? [inSequence(plan, at)] : [])),
      ...operationsOf(plan).flatMap(({ id, ahead, client }) =>
        ahead === undefined && client === undefined ? [] : [withoutTwist(plan, id)],
      ),
      // All but the last convergence; heals, as convergence is one; waits.
      ...plan.steps.flatMap((step, at) =>
        "await" in step || "heal" in step || ("converge" in step && at < plan.steps.length - 1)
          ? [{ ...plan, steps: plan.steps.toSpliced(at, 1) }]
          : [],
      ),
    ],
  },
];

/** All of them, halves, quarters, … and each: the later ones first, as causes come before what they cause. */
function portions<T>(items: readonly T[]): readonly (readonly T[])[] {
  const found: (readonly T[])[] = [];
  for (let size = items.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let end = items.length; end > 0; end -= size) {
      found.push(items.slice(Math.max(0, end - size), end));
    }
  }
  return found;
}

/** A story is told by what it holds, not by its title. */
function textOf({ users, rooms, steps, servers, devices }: Plan): string {
  return JSON.stringify([users, rooms, steps, servers, devices]);
}
