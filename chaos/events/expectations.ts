/** Whether a story ended as its plan expects. */
import type { StateIds } from "#harness/replay/record";
import type { Plan } from "#scenarios/plan";

/** A room when the story is over, as one server has it. */
export interface Ending {
  /** Event ids by `type|state_key`. */
  readonly state: StateIds;
  /** The same when the story began. */
  readonly first: StateIds;
  readonly user: (name: string) => string;
  /** The event of an operation; undefined: it did not happen. */
  readonly event: (operation: string) => string | undefined;
}

/** What is otherwise than expected in a room of this version, one line each. What did not happen is not judged. */
export function unmetExpectations(
  plan: Plan,
  room: string,
  version: string,
  { state, first, user, event }: Ending,
): readonly string[] {
  const asked = (plan.expect ?? []).filter(
    (one) => one.room === room && (one.versions?.includes(version) ?? true),
  );
  return asked.flatMap((one) =>
    Object.entries(one.state).flatMap(([named, operation]) => {
      const [type = "", name = ""] = named.split("|");
      const key = `${type}|${Object.hasOwn(plan.users, name) ? user(name) : name}`;
      const wanted =
        operation === null ? undefined : operation === "first" ? first[key] : event(operation);
      if (operation !== null && wanted === undefined) return [];
      if (state[key] === wanted) return [];
      return [
        `${room}: ${named} is ${state[key] ?? "nothing"}, not ${wanted ?? "nothing"} (${operation})`,
      ];
    }),
  );
}
