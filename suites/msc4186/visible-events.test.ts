import { ALL_STATE, allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { answers, inEachDialect } from "./sync.ts";

const VISIBILITIES = ["joined", "invited", "shared", "world_readable"] as const;
/** How the reader stands to a room in the end. Who never was in it is the matter of the requirements on subscriptions. */
const ENDINGS = {
  stays: () => Promise.resolve(),
  leaves: (roomId: string, _: Session, reader: Session) => reader.leave(roomId),
  "is kicked": (roomId: string, owner: Session, reader: Session) => owner.kick(roomId, reader),
  "is banned": (roomId: string, owner: Session, reader: Session) => owner.ban(roomId, reader),
} as const;

interface Visited {
  readonly roomId: string;
  /** Ids of the state that the reader got while joined, or has now. */
  readonly state: ReadonlySet<unknown>;
}

async function stateIds(reader: Session, roomId: string): Promise<ReadonlySet<unknown>> {
  const { json } = await reader.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  return new Set(listAt({ json }, "json").map((event) => at(event, "event_id")));
}

/** A room with something said and set before, while and after the reader was in it. */
async function roomWith(
  owner: Session,
  reader: Session,
  visibility: string,
  ending: keyof typeof ENDINGS,
): Promise<Visited> {
  const history = { type: "m.room.history_visibility", state_key: "" };
  const roomId = await owner.createRoom({
    preset: "private_chat",
    name: `${visibility}, ${ending}`,
    initial_state: [{ ...history, content: { history_visibility: visibility } }],
  });
  const say = async (when: string) => {
    await owner.send(roomId, when);
    await owner.setState(roomId, "m.room.topic", { topic: when });
  };
  await say("before the invite");
  await owner.invite(roomId, reader);
  await say("between invite and join");
  await reader.join(roomId);
  await say("while joined");
  const before = await stateIds(reader, roomId);
  await ENDINGS[ending](roomId, owner, reader);
  await say("at the end");
  return { roomId, state: ending === "stays" ? await stateIds(reader, roomId) : before };
}

check(
  "MSC4186.sec.no-cross-user",
  "the server sends no event that the user may not get by its id",
  {
    deadlineMs: 180_000,
    mutant: answers("shows an event of somewhere else", {
      set: {
        "/rooms/*/timeline/-": {
          type: "m.room.message",
          sender: "@a:b",
          content: {},
          event_id: "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          origin_server_ts: 1,
        },
      },
    }),
  },
  async (world) => {
    const [owner, reader] = await world.users("owner", "reader");
    const rooms: Visited[] = [];
    for (const visibility of VISIBILITIES) {
      for (const ending of Object.keys(ENDINGS) as (keyof typeof ENDINGS)[]) {
        rooms.push(await roomWith(owner, reader, visibility, ending));
      }
    }
    await inEachDialect(world, async (sync) => {
      const config = { timelineLimit: 30, requiredState: ALL_STATE };
      const subscriptions = Object.fromEntries(rooms.map(({ roomId }) => [roomId, config]));
      const { rooms: shown, http } = await sync
        .connection(reader)
        .initial({ ...allRooms(config), subscriptions });
      expectThat(Object.keys(shown).length >= 4, "at least the joined rooms", Object.keys(shown));

      for (const [roomId, { timeline = [], required_state: state = [] }] of Object.entries(shown)) {
        for (const { event_id: id, type, state_key: key } of timeline) {
          if (key === reader.userId) continue;
          const target = path`/_matrix/client/v3/rooms/${roomId}/event/${id}`;
          const { status } = await reader.get(target);
          const expected = `${type} ${id} of ${roomId} to be visible by its id`;
          expectThat(status === 200, expected, `status ${status}`, http);
        }
        const allowed = rooms.find((room) => room.roomId === roomId)?.state;
        const foreign = state.filter(
          (entry) =>
            at(entry, "state_key") !== reader.userId && !allowed?.has(at(entry, "event_id")),
        );
        expectThat(
          foreign.length === 0,
          `only state of ${roomId} that the user got by /state`,
          foreign,
          http,
        );
      }
    });
  },
);
