/** Everything that can be seen of a story when it is quiet, for the checkers. */
import type { JournalWriter } from "#chaos/journal/write";
import type { Actor, Cast } from "./cast.ts";
import type { Agreement } from "./converge.ts";
import type { Eyes } from "./eyes.ts";
import type { SlidingClient } from "./sliding-client.ts";
import type { SyncClient } from "./sync-client.ts";

export interface Observed {
  readonly epoch: number;
  readonly cast: Cast;
  readonly eyes: Eyes;
  readonly journal: JournalWriter;
  readonly syncs: readonly SyncClient[];
  readonly slidings: readonly SlidingClient[];
  /** Server name and id of each that was found there in an earlier epoch; grows. */
  readonly found: Set<string>;
}

const CATCH_UP_MS = 10_000;
/** Requests to a server at the same time. */
const AT_ONCE = 6;

/** Reads the rooms whole, asks for every acknowledged event everywhere, and lets clients catch up. */
export async function observe(observed: Observed, samples: Agreement["samples"]): Promise<void> {
  const { cast, journal, eyes, epoch, syncs, slidings } = observed;
  await Promise.all([...syncs, ...slidings].map((client) => client.catchUp(CATCH_UP_MS)));
  for (const [name, all] of samples) {
    const room = cast.rooms.get(name);
    if (room === undefined) continue;
    const acknowledged = acknowledgedIn(journal, room.id);
    await Promise.all(
      all.map(async ({ user, role }) => {
        const isWhole = await eyes.readAll(user, room);
        if (!isWhole) journal.write({ t: "note", text: `${role} did not show all of ${name}` });
        await lookFor(observed, acknowledged, user, room.id);
        const members = await eyes.members(user, room.id);
        if (members === undefined) return;
        const at = { server: cast.serverName(role), user: user.userId, room: room.id };
        journal.write({ t: "members", epoch, ...at, ...members });
      }),
    );
    for (const [source, clients] of [
      ["sync", syncs],
      ["sliding-sync", slidings],
    ] as const) {
      for (const { actor, ...client } of clients.map((one) => ({
        actor: one.actor,
        state: one.view(room.id),
      }))) {
        const { state } = client;
        if (state === undefined) continue;
        const at = { server: cast.serverName(actor.role), user: actor.userId, room: room.id };
        journal.write({ t: "view", epoch, ...at, source, state });
      }
    }
  }
}

function acknowledgedIn({ records }: JournalWriter, roomId: string): ReadonlySet<string> {
  return new Set(
    records.flatMap((record) =>
      record.t === "step" && record.outcome === "ok" && record.room === roomId
        ? (record.events ?? [])
        : [],
    ),
  );
}

/** Asks one user of a server for every event that was acknowledged and that the server has not shown yet. */
async function lookFor(
  { epoch, cast, eyes, journal, found }: Observed,
  acknowledged: ReadonlySet<string>,
  user: Actor,
  roomId: string,
): Promise<void> {
  const server = cast.serverName(user.role);
  const wanted = [...acknowledged].filter((event) => !found.has(`${server} ${event}`));
  const ask = async (event: string) => {
    const status = await eyes.event(user, roomId, event);
    if (status === 0) return;
    if (status === 200) found.add(`${server} ${event}`);
    const about = { user: user.userId, room: roomId, event_id: event };
    journal.write({ t: "event", epoch, server, ...about, status });
  };
  for (let at = 0; at < wanted.length; at += AT_ONCE)
    await Promise.all(wanted.slice(at, at + AT_ONCE).map(ask));
}
