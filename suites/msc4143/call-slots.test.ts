/** What matrix-js-sdk makes of slots (MSC4143 §Slots). By these checks no homeserver fails. */

import type { JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { MEMBER, SLOT } from "#harness/clients/rtc/names";
import { at, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import { share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import {
  CALL_ROOM,
  CLOSED,
  ENCRYPTION,
  enterCall,
  expectInCall,
  hears,
  inCalls,
  leaveCall,
  OPEN,
  SENT_MS,
  SLOT_ID,
  SLOW,
  STEADY,
} from "./callers.ts";
import { pair, stuck } from "./sticky.ts";

const APPLICATION = { type: "m.call" };
const SENDS = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/*/*" };
const PER_MEMBER = { type: "org.matrix.msc4143.per_member" };
const LEAVES_OPEN = hears("is not told that it closes", [
  '"status":"closed"',
  '"status":"open","application":{"type":"m.call"}',
]);

/** An open slot, and one like it that counts as closed. */
async function expectClosedBy(
  world: World,
  call: JsSdkCall,
  { admin, roomId, memberIds }: { admin: Session; roomId: string; memberIds: readonly string[] },
  { open, closed }: { readonly open: JsonObject; readonly closed: JsonObject },
): Promise<void> {
  await admin.setState(roomId, SLOT, open, SLOT_ID);
  await expectInCall(world, call, roomId, memberIds);
  await admin.setState(roomId, SLOT, closed, SLOT_ID);
  await expectInCall(world, call, roomId, [], `who is in the call by ${JSON.stringify(closed)}`);
}

check(
  "MSC4143.slot.closed-when-invalid",
  "the client takes a slot for closed whose status or application is not as it has to be",
  {
    ...SLOW,
    mutant: [
      LEAVES_OPEN,
      hears("is told of a status", ['"mark":"no status"', '"status":"open"']),
      hears("is told of an application", ['"mark":"none"', '"application":{"type":"m.call"}']),
      hears("is told of the right one", ['"m.other"', '"m.call"']),
      hears("is told of an object", ['"application":"m.call"', '"application":{"type":"m.call"}']),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      await enterCall(alice, roomId, "member");

      const place = { admin: alice, roomId, memberIds: ["member"] };
      for (const closed of [
        CLOSED,
        { application: APPLICATION, mark: "no status" },
        { status: "open", mark: "none" },
        { status: "open", application: "m.call" },
        { status: "open", application: { type: "m.other" } },
      ])
        await expectClosedBy(world, call, place, { open: OPEN, closed });
    });
  },
);

check(
  "MSC4143.slot.closed-when-invalid",
  "the client counts nobody as joined where there is no slot",
  { ...SLOW, mutant: hears("is told of a member", ['"id":"member"', '"id":"other"']) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await enterCall(alice, roomId, "member");
    await inCalls(async (callers) => {
      const call = await callers.start(bob);

      const before = await call.roster(roomId);
      await alice.setState(roomId, SLOT, OPEN, SLOT_ID);

      await expectInCall(world, call, roomId, ["member"]);
      expectEqual(
        before.map(({ memberId }) => memberId),
        [],
        "who was in the call before there was a slot",
      );
    });
  },
);

check(
  "MSC4143.slot.closed-when-invalid",
  "the client takes a slot of an encrypted room for closed that names no encryption",
  {
    ...SLOW,
    mutant: hears("is told of an encryption", ['"mark":"no encryption"', '"encryption":{}']),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const initial_state = [{ ...ENCRYPTION, state_key: "" }];
    const roomId = await alice.createRoom({ ...CALL_ROOM, initial_state });
    await bob.join(roomId);
    await inCalls(async (callers) => {
      const [call, member] = await Promise.all([
        callers.start(bob, { crypto: "signed" }),
        callers.start(alice, { crypto: "signed" }),
      ]);
      const memberIds = [await member.join(roomId, { by: "sticky", library: STEADY })];

      const open = { ...OPEN, encryption: PER_MEMBER };
      const closed = { ...OPEN, mark: "no encryption" };
      const place = { admin: alice, roomId, memberIds };
      await expectClosedBy(world, call, place, { open, closed });
    });
  },
);

check(
  "MSC4143.slot.encryption-enabled-later",
  "the client takes an open slot for closed once its room is encrypted, until it names an encryption",
  { ...SLOW, mutant: hears("is told of no encryption", ['"m.room.encryption"', '"m.room.other"']) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob, { crypto: "signed" });
      await enterCall(alice, roomId, "member");
      await expectInCall(world, call, roomId, ["member"]);

      await alice.setState(roomId, ENCRYPTION.type, ENCRYPTION.content);

      await expectInCall(world, call, roomId, []);
    });
  },
);

check(
  "MSC4143.slot.close-ends-session",
  "the clients of both servers see all members go when the slot closes",
  { ...SLOW, mutant: LEAVES_OPEN },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const calls = await Promise.all([alice, bob].map((session) => callers.start(session)));
      await enterCall(alice, roomId, "here");
      await enterCall(bob, roomId, "there");
      for (const call of calls) await expectInCall(world, call, roomId, ["here", "there"]);

      await alice.setState(roomId, SLOT, CLOSED, SLOT_ID);

      for (const call of calls) await expectInCall(world, call, roomId, []);
    });
  },
);

check(
  "MSC4143.slot.reopen-resurrects",
  "the client has those back in a slot that opens again who have not left meanwhile, and no others",
  {
    ...SLOW,
    mutant: altersRequest(
      "has a leave go to another key",
      { ...SENDS, contains: '"leave"' },
      { replace: [['"msc4354_sticky_key":"leaves"', '"msc4354_sticky_key":"other"']] },
    ),
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      for (const id of ["leaves", "stays"]) await enterCall(alice, roomId, id);
      await expectInCall(world, call, roomId, ["leaves", "stays"]);

      await alice.setState(roomId, SLOT, CLOSED, SLOT_ID);
      await expectInCall(world, call, roomId, []);
      await leaveCall(alice, roomId, "leaves");
      await alice.setState(roomId, SLOT, OPEN, SLOT_ID);

      await expectInCall(world, call, roomId, ["stays"]);
    });
  },
);

/** The member's events in an answer to a sync, those that stick among them. */
function memberEvents(body: JsonObject, roomId: string): readonly MatrixEvent[] {
  const events = [...stuck(body, roomId), ...timeline(body, roomId)];
  return events.filter(({ type }) => type === MEMBER);
}

check(
  "MSC4143.slot.reopen-resurrects",
  "the client leaves by an event when its slot closes",
  {
    ...SLOW,
    mutant: hears("is not told that it closes", ['"status":"closed"', '"status":"open"']),
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(alice);
      await call.join(roomId, { by: "sticky", library: STEADY });
      await bob.syncUntil(undefined, "the member", (body) => memberEvents(body, roomId)[0]);
      const since = await bob.syncToken();

      await alice.setState(roomId, SLOT, CLOSED, SLOT_ID);

      const { found } = await bob.syncUntil(
        since,
        "a further event of the member",
        (body) => memberEvents(body, roomId)[0],
        { deadlineMs: SENT_MS },
      );
      const { content } = found;
      const isLeave =
        content.application === undefined || at(content, "member", "membership") === "leave";
      expectThat(isLeave, "a leave as the next event of a member whose slot has closed", content);
    });
  },
);

check(
  "MSC4143.session.overlap",
  "the clients of both servers have a session begin with the first member and end with the last",
  {
    ...SLOW,
    mutant: [
      hears("is not told of the second", ['"can_subscribe":["second"]', '"can_subscribe":0']),
      hears(
        "is told of the last leave as of something else",
        // As the fields were sent, and sorted.
        [',"msc4354_sticky_key":"second","why":"last"', ',"why":"last"'],
        [
          `,"msc4354_sticky_key":"second","slot_id":"${SLOT_ID}","why":"last"`,
          `,"slot_id":"${SLOT_ID}","why":"last"`,
        ],
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const calls = await Promise.all([alice, bob].map((session) => callers.start(session)));
      const become = async (...memberIds: string[]) => {
        for (const call of calls) await expectInCall(world, call, roomId, memberIds);
      };
      await become();

      await enterCall(alice, roomId, "first");
      await become("first");
      const transports = { published: [], can_subscribe: ["second"] };
      await enterCall(bob, roomId, "second", { content: { transports } });
      await become("first", "second");
      await leaveCall(alice, roomId, "first");
      await become("second");
      await leaveCall(bob, roomId, "second", { why: "last" });
      await become();

      for (const call of calls) {
        const changes = call.happened.flatMap((each) => (each.what === "session" ? [each.is] : []));
        expectEqual(changes, ["started", "ended"], `the session by ${call.session.userId}`);
      }
    });
  },
);

check(
  "MSC4196.slot.default",
  "the clients of a room meet in one slot, by one of the two names for it",
  {
    ...SLOW,
    mutant: altersRequest(
      "has one of them meet by the other name",
      { ...SENDS, contains: '"audio"' },
      { replace: [[`"${SLOT_ID}"`, '"m.call#room"']] },
    ),
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await inCalls(async (callers) => {
      const calls = await Promise.all([alice, bob].map((session) => callers.start(session)));
      await calls[0]?.openSlot(roomId);
      for (const [index, call] of calls.entries()) {
        const callIntent = index === 0 ? "video" : "audio";
        await call.join(roomId, { by: "sticky", library: { ...STEADY, callIntent } });
      }

      const slots = new Map<string, unknown>();
      await alice.syncUntil(undefined, "two members", (body) => {
        for (const { sender, content } of memberEvents(body, roomId))
          slots.set(sender, content.slot_id);
        return slots.size === 2 ? true : undefined;
      });

      const spellings = new Set(slots.values());
      expectEqual(spellings.size, 1, "the number of slots that two clients of a room are in");
      const [spelling] = spellings;
      const isKnown = spelling === "m.call#ROOM" || spelling === "m.call#room";
      expectThat(isKnown, "m.call#ROOM or m.call#room", spelling);
      const slot = await alice.state(roomId, SLOT, String(spelling));
      expectThat(
        slot !== undefined,
        `the slot ${String(spelling)} that one of them has opened`,
        slot,
      );
      world.note(`calls of rooms are in the slot ${String(spelling)}`);
    });
  },
);
