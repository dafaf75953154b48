/** What clients have been told of rooms without asking, which servers answer as well when they are quiet. */
import type { StateIds } from "#harness/replay/record";
import type { ConvergeContext } from "./converge.ts";
import type { Sample, Sampled } from "./eyes.ts";

/** State by what a client was told, and what nothing follows of what it was shown. */
interface Look {
  readonly state: StateIds | undefined;
  readonly extremities: readonly string[];
}

/** By room name and role. */
export type Told = ReadonlyMap<string, ReadonlyMap<string, Look>>;

/** @param samples who takes part in what, as last seen */
export function toldSoFar(
  { eyes, cast, traffic }: Pick<ConvergeContext, "eyes" | "cast" | "traffic">,
  samples: ReadonlyMap<string, readonly Sample[]>,
): Told {
  const told = new Map<string, ReadonlyMap<string, Look>>();
  for (const [name, all] of samples) {
    const room = cast.rooms.get(name);
    if (room === undefined) continue;
    const looks = all.map(({ role, user }) => {
      const shown = [...eyes.shown(room.id, role).keys()];
      const extremities = traffic.ends(cast.serverName(role), room.id, shown);
      return [role, { state: eyes.told(user, room.id), extremities }] as const;
    });
    told.set(name, new Map(looks));
  }
  return told;
}

/** True when clients of servers that take part have been shown other events than those of others. */
export function isUnequal(told: Told): boolean {
  return [...told.values()].some(
    (looks) => new Set([...looks.values()].map(({ extremities }) => extremities.join())).size > 1,
  );
}

/** What servers answered, as a look. */
export function looksOf(samples: ReadonlyMap<string, readonly Sample[]>): Told {
  return new Map(
    [...samples].map(([name, all]) => [name, new Map(all.map((sample) => [sample.role, sample]))]),
  );
}

/** Rooms of which one of these earlier looks saw what servers answer now. */
export function quietRooms(
  sampled: ReadonlyMap<string, readonly Sampled[]>,
  earlier: readonly Told[],
): ReadonlyMap<string, readonly Sampled[]> {
  return new Map(
    [...sampled].filter(([name, all]) => earlier.some((told) => isAsTold(told.get(name), all))),
  );
}

function isAsTold(looks: ReadonlyMap<string, Look> | undefined, sampled: readonly Sampled[]) {
  return sampled.every((one) => {
    if (typeof one !== "object") return looks !== undefined && one === "nobody";
    const look = looks?.get(one.role);
    return look !== undefined && textOf(look) === textOf(one);
  });
}

function textOf({ state = {}, extremities }: Look): string {
  const ids = Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([ids, extremities]);
}
