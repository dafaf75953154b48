/** Looks at rooms on all servers, and writes down what was seen. */
import type { Moment } from "#chaos/journal/record";
import type { JournalWriter } from "#chaos/journal/write";
import type { Cast, CastRoom } from "./cast.ts";
import type { Eyes, Sampled } from "./eyes.ts";

/** Samples every room on every server. */
export async function sampleAll(
  {
    cast,
    eyes,
    roles,
  }: { readonly cast: Cast; readonly eyes: Eyes; readonly roles: readonly string[] },
  rooms: Iterable<readonly [string, CastRoom]> = cast.rooms,
): Promise<ReadonlyMap<string, readonly Sampled[]>> {
  const sampled = [...rooms].map(
    async ([name, room]) =>
      [name, await Promise.all(roles.map((role) => eyes.sample(room, role)))] as const,
  );
  return new Map(await Promise.all(sampled));
}

/** Writes down what was seen. */
export function tellStates(
  { cast, journal }: { readonly cast: Cast; readonly journal: JournalWriter },
  sampled: ReadonlyMap<string, readonly Sampled[]>,
  moment: Moment,
): void {
  for (const [name, samples] of sampled) {
    const room = cast.rooms.get(name);
    for (const sample of samples.filter((one) => typeof one === "object")) {
      const [last] = sample.extremities.slice(-1);
      journal.write({
        t: "state",
        room: room?.id ?? "",
        server: cast.serverName(sample.role),
        moment,
        ...(last === undefined ? {} : { at_event: last }),
        source: "client",
        state: sample.state,
        extremities: sample.extremities,
      });
    }
  }
}
