/** How a story ended, against what its plan expects, by its journal. */
import { unmetExpectations } from "#chaos/events/expectations";
import type { JournalRecord } from "#chaos/journal/record";
import type { Plan } from "#scenarios/plan";

/** What is otherwise than expected where the rooms' creators are, one line each. */
export function unmetIn(plan: Plan, records: readonly JournalRecord[]): readonly string[] {
  const cast = records.findLast((record) => record.t === "cast");
  if (cast === undefined) return [];
  const eventOf = (id: string) =>
    records.flatMap((record) =>
      record.t === "step" && record.step === id && record.outcome === "ok"
        ? (record.events ?? [])
        : [],
    )[0];
  return Object.entries(cast.rooms).flatMap(([name, id]) => {
    const home = plan.users[plan.rooms[name]?.creator ?? ""] ?? "";
    const states = records.flatMap((record) =>
      record.t === "state" && record.room === id && record.server === cast.servers[home]
        ? [record.state]
        : [],
    );
    return unmetExpectations(plan, name, cast.versions[id] ?? "", {
      state: states.at(-1) ?? {},
      first: states[0] ?? {},
      user: (user) => cast.users[user] ?? user,
      event: eventOf,
    });
  });
}
