import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { stateOf } from "#harness/clients/sliding-sync/request";
import type { RoomResult, SlidingResponse } from "#harness/clients/sliding-sync/response";
import { membershipIn, stateKeyOf } from "#harness/clients/sliding-sync/view";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { answers, inEachDialect, type Sync } from "../sync.ts";
import { CHANGES, DROPS_RULES, KEEPS_RULES, LOSES_ANSWERS, TWO_LISTS } from "./corpus.ts";
import { tryAll } from "./kept.ts";
import { search } from "./search.ts";
import { EVERYTHING, Scene, type Story, stories, tell } from "./story.ts";
import { expectNoHole, expectSameView } from "./views.ts";

/** The view folded over a story is that of a connection that asks for everything at its end, without holes. */
async function expectFoldEqualsFresh(sync: Sync, story: Story): Promise<void> {
  const scene = await Scene.make(sync.world);
  const connection = sync.connection(scene.reader, "story");
  await connection.initial(scene.request({ ...EVERYTHING, last: 1 }));

  await tell(story, scene, connection);

  const fresh = sync.connection(scene.reader, "fresh");
  await fresh.initial(scene.request(EVERYTHING));
  expectSameView(connection.view, fresh.view, sync.dialect, scene);
  for (const [roomId, room] of connection.view.rooms) {
    expectNoHole(roomId, room, await scene.eventsOf(roomId));
  }
}

/** A second list over the newest room changes what that room gets, and no other (P13 of the digest). */
async function expectOthersUnchanged(sync: Sync, story: Story): Promise<void> {
  const scene = await Scene.make(sync.world);
  for (const step of story) {
    if (!("config" in step)) {
      await scene.act(step);
      continue;
    }
    const alone = scene.request(step.config);
    const newest = {
      range: [0, 0] as const,
      timelineLimit: 4,
      requiredState: stateOf("m.room.create"),
    };
    const both: SlidingRequest = { ...alone, lists: { newest, ...alone.lists } };
    const one = await sync.connection(scene.reader, "alone").initial(alone);
    const other = await sync.connection(scene.reader, "both").initial(both);
    const changed = Object.keys(one.rooms).filter((id) => !areAlike(one, other, id));
    expectThat(
      changed.length <= 1,
      "a second list of one room to change at most that one",
      changed,
    );
  }
}

/** A connection that loses answers ends with the view of one that does not (P2 of the digest). */
async function expectLossesMatterNot(sync: Sync, story: Story): Promise<void> {
  const scene = await Scene.make(sync.world);
  const [losing, steady] = [
    sync.connection(scene.reader, "losing"),
    sync.connection(scene.reader, "steady"),
  ];
  for (const connection of [losing, steady]) {
    await connection.initial(scene.request({ ...EVERYTHING, last: 1 }));
  }
  for (const step of story) {
    if (!("config" in step)) {
      await scene.act(step);
      continue;
    }
    const request = scene.request(step.config);
    if (step.do === "lose") await losing.lose(request);
    else for (const connection of [losing, steady]) await connection.sync(request);
  }
  for (const connection of [losing, steady]) await connection.drain(scene.request(EVERYTHING));
  expectSameView(losing.view, steady.view, sync.dialect, scene);
}

/** A fresh connection and a fresh /v3/sync agree on rooms and on their state (P11 of the digest). */
async function expectAgreement(sync: Sync, story: Story): Promise<void> {
  const scene = await Scene.make(sync.world);
  await tell(story, scene, sync.connection(scene.reader, "story"));
  const fresh = sync.connection(scene.reader, "fresh");
  await fresh.initial(scene.request(EVERYTHING));
  const { rooms = {} } = (await scene.reader.sync()) as { rooms?: { join?: object } };
  const joined = [...fresh.view.rooms]
    .filter(([, room]) => membershipIn(room, scene.reader.userId) === "join")
    .map(([id]) => id);
  expectEqual(joined.sort(), Object.keys(rooms.join ?? {}).sort(), "the joined rooms");
  for (const id of joined) {
    const room = fresh.view.room(id);
    const name = await scene.reader.state(id, "m.room.name");
    expectEqual(room?.name ?? "", name?.name ?? "", `the name of ${id}`);
    const topic = await scene.reader.state(id, "m.room.topic");
    expectEqual(room?.state.get("m.room.topic|")?.content, topic, `the topic of ${id}`);
  }
}

function areAlike(one: SlidingResponse, other: SlidingResponse, roomId: string): boolean {
  const text = (room: RoomResult | undefined) =>
    JSON.stringify([
      room?.timeline?.map(({ event_id }) => event_id) ?? [],
      (room?.required_state ?? []).map(stateKeyOf).sort(),
    ]);
  return text(one.rooms[roomId]) === text(other.rooms[roomId]);
}

/** Of deltas of the connection that folds, and of nothing else. */
const LOSES_EVENTS = answers(
  "leaves the newest event of a delta out",
  { remove: ["/rooms/*/timeline/-1"] },
  { contains: '"story"' },
);

check(
  "MSC4186.delta.fold-equals-fresh",
  "the server tells by deltas what it tells a fresh connection, in stories that failed once",
  { deadlineMs: 120_000, mutant: LOSES_EVENTS },
  async (world) =>
    await inEachDialect(world, (sync) => tryAll(sync, KEEPS_RULES, expectFoldEqualsFresh)),
);

check(
  "MSC4186.delta.fold-equals-fresh",
  "the server tells by deltas what it tells a fresh connection, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories({ keepsRules: true }), (story) =>
        expectFoldEqualsFresh(sync, story),
      );
    });
  },
);

check(
  "MSC4186.delta.config-path-independence",
  "the server tells the same whatever was asked for before, in stories that failed once",
  { deadlineMs: 120_000, mutant: LOSES_EVENTS },
  async (world) =>
    await inEachDialect(world, (sync) => tryAll(sync, DROPS_RULES, expectFoldEqualsFresh)),
);

check(
  "MSC4186.delta.config-path-independence",
  "the server tells the same whatever was asked for before, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories({ keepsRules: false }), (story) =>
        expectFoldEqualsFresh(sync, story),
      );
    });
  },
);

check(
  "MSC4186.sub.no-config-bleed",
  "the server gives other rooms nothing of what a second list asks for, in stories that failed once",
  {
    deadlineMs: 120_000,
    mutant: answers(
      "gives every room what the second list asks for",
      { remove: ["/rooms/*/timeline/0"] },
      { contains: '"newest"' },
    ),
  },
  async (world) =>
    await inEachDialect(world, (sync) => tryAll(sync, TWO_LISTS, expectOthersUnchanged)),
);

check(
  "MSC4186.sub.no-config-bleed",
  "the server gives other rooms nothing of what a second list asks for, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories({ keepsRules: true }), (story) =>
        expectOthersUnchanged(sync, story),
      );
    });
  },
);

check(
  "MSC4186.conn.retry-idempotent",
  "the server does as if lost answers had never been, in stories with losses",
  {
    deadlineMs: 120_000,
    mutant: answers(
      "forgets what the client has not got",
      {
        set: { "/rooms/*/timeline": [], "/rooms/*/joined_count": 9 },
      },
      { contains: '"losing"' },
    ),
  },
  async (world) =>
    await inEachDialect(world, (sync) => tryAll(sync, LOSES_ANSWERS, expectLossesMatterNot)),
);

check(
  "MSC4186.conn.retry-idempotent",
  "the server does as if lost answers had never been, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories({ keepsRules: false, losesAnswers: true }), (story) =>
        expectLossesMatterNot(sync, story),
      );
    });
  },
);

check(
  "MSC4186.delta.eventual-v3-agreement",
  "the server shows the same rooms, names and topics by both syncs",
  {
    deadlineMs: 120_000,
    mutant: answers("shows another topic", {
      set: { "/rooms/*/required_state/*/content": { topic: "another", membership: "join" } },
    }),
  },
  async (world) => await inEachDialect(world, (sync) => tryAll(sync, CHANGES, expectAgreement)),
);

check(
  "MSC4186.delta.eventual-v3-agreement",
  "the server shows the same rooms, names and topics by both syncs, in random stories",
  { kind: "search" },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      await search(world, stories({ keepsRules: true }), (story) => expectAgreement(sync, story));
    });
  },
);
