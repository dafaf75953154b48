/** Who is in a call after two servers could not reach each other for a while, by what clients of both are told. */
import { awakeMs } from "#harness/awake";
import type { Member } from "#harness/clients/rtc/members";
import { LEGACY_MEMBER, MEMBER, SLOT } from "#harness/clients/rtc/names";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { converge, share, split } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { BATCH_MS, delayedEvents } from "./delayed.ts";
import { expectTold, observe, type Sent, writeValue } from "./observers.ts";
import { member, openSlot, roster } from "./rosters.ts";
import { HIDES, LONG_MS, SYNC, stick } from "./sticky.ts";

const DELAY_MS = 1_500;
const OPERATIONS = 12;
const CONVERGED_MS = 30_000;
const OWN_SERVERS = { isolated: {}, deadlineMs: 180_000 };

check(
  "MSC4354.fed.converge",
  "the servers tell their users the same of what sticks after a split in which both wrote",
  {
    ...OWN_SERVERS,
    mutant: [
      HIDES,
      altersAnswer(
        "shows the first of two values for the last",
        { path: SYNC },
        { replace: [['"origin_server_ts":', '"origin_server_ts":-']] },
      ),
    ],
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const observers = await observe(shared);
    const sent: Sent[] = [];
    const write = async (session: Session) => {
      sent.push(await writeValue(world, session, roomId));
    };

    for (const session of [alice, bob]) await write(session);
    const between = await split(world);
    for (let step = 0; step < OPERATIONS; step++) await write(world.integer(2) ? alice : bob);
    await Promise.all([write(alice), write(bob)]);
    await between.untilTried();
    for (const observer of observers) await observer.sync();
    await between.heal();
    await converge(
      world,
      shared,
      sent.map(({ id }) => id),
    );

    await expectTold(world, observers, sent);
  },
);

function tell(session: Session, roomId: string, content: JsonObject, query = {}): Promise<string> {
  return stick(session, roomId, { type: MEMBER, content, query });
}

/** A member for messages: who, by which id, where. */
function line({ userId, memberId, transports }: Member): string {
  return `${userId} ${memberId} ${at(transports, "published", 0, "type")}`;
}

check(
  "RTC.chaos.netsplit-converge",
  "the servers tell their users of the same members after joins, leaves and crashes in a split",
  {
    ...OWN_SERVERS,
    mutant: [
      HIDES,
      claims(
        "loses leaves",
        { path: "/_matrix/client/v3/rooms/*/send/**", contains: '"membership":"leave"' },
        { event_id: "$claimed", delay_id: "claimed" },
      ),
      altersAnswer(
        "does not tell of the slot",
        { path: `/_matrix/client/v3/rooms/*/state/${SLOT}/*` },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      ),
    ],
  },
  async (world) => {
    const delayed = delayedEvents(world);
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const [carol, dave] = [await world.user("carol"), await world.user("dave", "hs2")];
    await carol.join(roomId);
    await dave.join(roomId, alice);
    await openSlot(alice, roomId);
    const observers = await observe(shared);
    const members = new Map<string, { session: Session; published: string }>();
    const join = async (session: Session, memberId: string) => {
      const published = world.name("transport");
      await tell(session, roomId, member(memberId, "join", published));
      members.set(memberId, { session, published });
    };
    const leave = async (session: Session, memberId: string) => {
      await tell(session, roomId, member(memberId, "leave", "none"));
      members.delete(memberId);
    };
    const ids = new Map([alice, bob, carol, dave].map((one) => [one, world.name("member")]));
    for (const [session, memberId] of ids) await join(session, memberId);

    const between = await split(world);
    await churn(world, [alice, bob], ids, members, { join, leave });
    // Carol's client dies, and so does a second one of bob's that came in the split: nobody renews their leaves.
    const second = world.name("member");
    await join(bob, second);
    for (const [session, memberId] of [
      [carol, ids.get(carol) ?? ""],
      [bob, second],
    ] as const) {
      await delayed.scheduled(session, roomId, {
        type: MEMBER,
        content: member(memberId, "leave", "none"),
        delayMs: DELAY_MS,
        stickyMs: LONG_MS,
      });
      members.delete(memberId);
    }
    // Dave is put out of the room by the other side.
    await alice.kick(roomId, dave);
    members.delete(ids.get(dave) ?? "");
    await world.quietPeriod(DELAY_MS);
    await between.untilTried();
    await between.heal();
    const healed = awakeMs();
    await converge(world, shared);

    const expected = [...members]
      .map(([memberId, { session, published }]) => `${session.userId} ${memberId} ${published}`)
      .toSorted();
    for (const observer of observers) {
      await world.eventually(
        async () => {
          await observer.sync();
          const seen = (await roster(observer, roomId)).map(line).toSorted();
          expectEqual(seen, expected, `the members by ${observer.session.server.serverName}`);
        },
        { deadlineMs: CONVERGED_MS },
      );
    }
    world.note(
      `the rosters were equal ${((awakeMs() - healed) / 1_000).toFixed(1)} s after the split`,
    );
  },
);

interface Moves {
  readonly join: (session: Session, memberId: string) => Promise<void>;
  readonly leave: (session: Session, memberId: string) => Promise<void>;
}

/**
 * Random joins, updates and leaves; who comes back does so under a new id. In the end all of them are in: of a call that
 * everybody left a server that tells of nobody would be right.
 */
async function churn(
  world: World,
  sessions: readonly Session[],
  ids: Map<Session, string>,
  members: ReadonlyMap<string, unknown>,
  { join, leave }: Moves,
): Promise<void> {
  const isIn = (session: Session) => members.has(ids.get(session) ?? "");
  const comeBack = async (session: Session) => {
    const fresh = world.name("member");
    ids.set(session, fresh);
    await join(session, fresh);
  };
  for (let step = 0; step < OPERATIONS; step++) {
    const session = sessions[step % sessions.length];
    if (session === undefined) return;
    const memberId = ids.get(session) ?? "";
    if (!isIn(session)) await comeBack(session);
    else if (world.integer(2) === 0) await leave(session, memberId);
    else await join(session, memberId);
  }
  for (const session of sessions) if (!isIn(session)) await comeBack(session);
}

const LEGACY_STATE = `/_matrix/client/v3/rooms/*/state/${LEGACY_MEMBER}/*`;

check(
  "RTC.chaos.netsplit-legacy",
  "the servers agree on members by state after joins, leaves and crashes in a split",
  {
    ...OWN_SERVERS,
    mutant: [
      altersAnswer(
        "brings back those who have left",
        { path: LEGACY_STATE },
        { set: { "/device_id": "DEVICE", "/step": 0 } },
      ),
      {
        name: "keeps to itself what it has",
        rules: [
          {
            match: { from: "hs1", to: "hs2", path: "/_matrix/federation/v1/send/*" },
            phase: "before",
            action: { kind: "answer", status: 200, body: { pdus: {} } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const [alice, bob] = [await world.user("alice"), await world.user("bob", "hs2")];
    const roomId = await alice.createRoom({
      preset: "public_chat",
      power_level_content_override: { events: { [LEGACY_MEMBER]: 0 } },
    });
    await bob.joinWhole(roomId, alice);
    const shared = { alice, bob, roomId };
    const [carol, dave] = [await world.user("carol"), await world.user("dave", "hs2")];
    await carol.join(roomId);
    await dave.join(roomId, alice);
    const keyOf = ({ userId }: Session) => `_${userId}_DEVICE_m.call`;
    const written = new Map<Session, JsonObject>();
    let steps = 0;
    const write = async (session: Session, isIn: boolean) => {
      steps++;
      const content = isIn ? { device_id: "DEVICE", application: "m.call", step: steps } : {};
      await session.setState(roomId, LEGACY_MEMBER, content, keyOf(session));
      written.set(session, content);
    };
    for (const session of [alice, bob, carol, dave]) await write(session, true);

    const between = await split(world);
    for (let step = 0; step < OPERATIONS; step++)
      await write(step % 2 === 0 ? alice : bob, world.integer(2) === 0);
    await write(dave, false);
    await delayedEvents(world).scheduled(carol, roomId, {
      type: LEGACY_MEMBER,
      stateKey: keyOf(carol),
      content: {},
      delayMs: DELAY_MS,
    });
    written.set(carol, {});
    await world.eventually(
      async () => {
        const content = await carol.state(roomId, LEGACY_MEMBER, keyOf(carol));
        expectEqual(content, {}, "the membership of a client that died, on its server");
      },
      { deadlineMs: DELAY_MS + BATCH_MS },
    );
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    for (const observer of [alice, bob]) {
      for (const [session, content] of written) {
        const shown = await observer.state(roomId, LEGACY_MEMBER, keyOf(session));
        const what = `the membership of ${session.userId} by ${observer.server.serverName}`;
        expectEqual(shown, content, what);
      }
    }
  },
);
