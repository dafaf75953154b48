import { allRooms } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { idsIn, STRAY_EVENT, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

/** What is visible of the time before the invite, between invite and join, and of an absence. */
interface Sees {
  readonly before: boolean;
  readonly between: boolean;
  readonly absent: boolean;
}

async function expectVisible(world: World, visibility: string, sees: Sees): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({
      initial_state: [
        {
          type: "m.room.history_visibility",
          state_key: "",
          content: { history_visibility: visibility },
        },
      ],
    });
    const before = await sendMessages(alice, roomId, 2, "before");
    await alice.invite(roomId, bob);
    const between = await sendMessages(alice, roomId, 2, "between");
    await bob.join(roomId);
    const after = await sendMessages(alice, roomId, 2, "after");
    const visible = [...(sees.before ? before : []), ...(sees.between ? between : []), ...after];
    const expectSeen = (ids: readonly string[], hidden: readonly string[], what: string) => {
      const leaked = hidden.filter((id) => ids.includes(id));
      expectEqual(leaked, [], `the hidden messages ${what}`);
    };
    const messages = new Set([...before, ...between, ...after]);
    const hidden = [...messages].filter((id) => !visible.includes(id));
    const connection = sync.connection(bob);
    await settled(bob, roomId, after.at(-1) ?? "");

    const first = await connection.initial(allRooms({ timelineLimit: 1 }));
    expectEqual(idsIn(first.rooms[roomId]), after.slice(-1), "the timeline of one event");
    const wide = allRooms({ timelineLimit: 50 });
    const expanded = await connection.until(wide, "more", ({ rooms }) => rooms[roomId]);
    const shown = idsIn(expanded).filter((id) => messages.has(id));
    expectSeen(shown, hidden, "after the limit grew");
    expectEqual(shown, visible, "the messages after the limit grew");
    const fresh = await sync.connection(bob, "fresh").initial(wide);
    const whole = idsIn(fresh.rooms[roomId]).filter((id) => messages.has(id));
    expectSeen(whole, hidden, "on a fresh connection");
    expectEqual(whole, visible, "the messages on a fresh connection");

    await bob.leave(roomId);
    const absent = await sendMessages(alice, roomId, 2, "absent");
    await alice.invite(roomId, bob);
    await bob.join(roomId);
    const last = await alice.send(roomId, "last");
    await settled(bob, roomId, last);
    const back = idsIn(await connection.untilEvent(wide, roomId, last));
    expectSeen(back, [...hidden, ...(sees.absent ? [] : absent)], "after the return");
  });
}

/** @param instead the visibility that the server takes the room's for */
function options(visibility: string, instead: string) {
  const asked = (value: string) => `"history_visibility":"${value}"`;
  return {
    mutant: [
      answers("shows something else", { set: { "/rooms/*/timeline": [STRAY_EVENT] } }),
      {
        name: `takes it for ${instead}`,
        rules: [
          {
            match: { path: "/_matrix/client/v3/createRoom" },
            phase: "before" as const,
            action: {
              kind: "rewrite" as const,
              replace: [[asked(visibility), asked(instead)]] as const,
            },
          },
        ],
      },
    ],
    deadlineMs: 120_000,
  };
}

check(
  "MSC4186.timeline.visibility",
  "the server shows nothing from before the join where history is for those joined",
  options("joined", "shared"),
  (world) => expectVisible(world, "joined", { before: false, between: false, absent: false }),
);

check(
  "MSC4186.timeline.visibility",
  "the server shows nothing from before the invite where history is for those invited",
  options("invited", "shared"),
  (world) => expectVisible(world, "invited", { before: false, between: true, absent: false }),
);

check(
  "MSC4186.timeline.visibility",
  "the server shows what was before the join where history is shared",
  options("shared", "joined"),
  (world) => expectVisible(world, "shared", { before: true, between: true, absent: true }),
);
