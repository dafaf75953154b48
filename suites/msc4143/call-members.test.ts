/** Whom matrix-js-sdk takes for a member of a call (MSC4143 §Joining a slot). By these checks no homeserver fails. */
import { MEMBER, SLOT } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { share } from "#harness/world/sharing";
import {
  CALL_ROOM,
  ENCRYPTION,
  enterCall,
  expectInCall,
  hears,
  inCalls,
  leaveCall,
  memberOf,
  OPEN,
  SLOT_ID,
  SLOW,
  STEADY,
  sticksFor,
} from "./callers.ts";
import { pair, stick, sticky } from "./sticky.ts";

const LONG_MS = 600_000;
/** Long enough for a busy machine to see it begin, and less than a check waits to see it end. */
const SHORT_MS = 8_000;
const STAYS = hears("is not told that somebody goes", [
  '"membership":"leave"',
  '"membership":"join"',
]);

check(
  "MSC4143.member.sticky",
  "the client does not count a member whose event does not stick",
  { ...SLOW, mutant: sticksFor("is told that all events stick", LONG_MS) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);

      await alice.send(roomId, memberOf(alice, "plain"), MEMBER);
      await enterCall(alice, roomId, "sticky");

      await expectInCall(world, call, roomId, ["sticky"]);
    });
  },
);

check(
  "MSC4143.member.sticky-key",
  "the client does not count a member without a sticky key",
  { ...SLOW, mutant: hears("is told of a key", ['"msc4354_other_key"', '"msc4354_sticky_key"']) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);

      const { msc4354_sticky_key: key, ...keyless } = memberOf(alice, "keyless");
      await stick(alice, roomId, { type: MEMBER, content: { ...keyless, msc4354_other_key: key } });
      await enterCall(alice, roomId, "keyed");

      await expectInCall(world, call, roomId, ["keyed"]);
    });
  },
);

check(
  "MSC4143.member.sticky-key",
  "the client does not count a member whose sticky key is not its id",
  { ...SLOW, mutant: hears("is told of another id", ['"id":"differs"', '"id":"another"']) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);

      await enterCall(alice, roomId, "differs", { content: { msc4354_sticky_key: "other" } });
      await enterCall(alice, roomId, "keyed");

      await expectInCall(world, call, roomId, ["keyed"]);
    });
  },
);

check(
  "MSC4143.member.join-conditions",
  "the client counts no members of another application, and none who have left the room or whose time has passed",
  {
    ...SLOW,
    mutant: [
      hears("is told of one application for another", ['"m.other"', '"m.call"']),
      STAYS,
      sticksFor("is told that they stay longer", LONG_MS),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const carol = await world.user("carol");
    await carol.join(roomId);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);

      const application = { type: "m.other" };
      await enterCall(alice, roomId, "other", { content: { application } });
      await enterCall(alice, roomId, "lasting");
      await enterCall(carol, roomId, "gone");
      await expectInCall(world, call, roomId, ["gone", "lasting"]);
      await enterCall(alice, roomId, "short", { durationMs: SHORT_MS });
      await expectInCall(world, call, roomId, ["gone", "lasting", "short"]);
      await carol.leave(roomId);

      await expectInCall(world, call, roomId, ["lasting"]);
    });
  },
);

check(
  "MSC4143.member.kick-removes",
  "the clients of both servers drop a member who is kicked from the room",
  { ...SLOW, mutant: STAYS },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    const [carol, dan] = await Promise.all([world.user("carol"), world.user("dan", "hs2")]);
    await carol.join(roomId);
    await dan.joinWhole(roomId, alice);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const calls = await Promise.all([carol, dan].map((session) => callers.start(session)));
      await enterCall(bob, roomId, "kicked");
      await enterCall(alice, roomId, "stays");
      for (const call of calls) await expectInCall(world, call, roomId, ["kicked", "stays"]);

      await alice.kick(roomId, bob);

      for (const call of calls) await expectInCall(world, call, roomId, ["stays"]);
    });
  },
);

check(
  "MSC4143.member.redaction",
  "the client drops a member whose event is redacted",
  { ...SLOW, mutant: hears("is not told of redactions", ['"m.room.redaction"', '"m.room.other"']) },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const carol = await world.user("carol");
    await carol.join(roomId);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(carol);
      const joined = await enterCall(bob, roomId, "redacted");
      await enterCall(alice, roomId, "stays");
      await expectInCall(world, call, roomId, ["redacted", "stays"]);

      const transaction = world.name("txn");
      const target = path`/_matrix/client/v3/rooms/${roomId}/redact/${joined}/${transaction}`;
      ok(await alice.put(target, {}));

      await expectInCall(world, call, roomId, ["stays"]);
    });
  },
);

check(
  "MSC4143.member.leave-reason",
  "the client takes a leave with a reason that nobody knows for a leave, and one with none",
  {
    ...SLOW,
    mutant: [
      hears(
        "is told of another who leaves with a reason",
        ['"id":"reason"', '"id":"r"'],
        [
          '"msc4354_sticky_key":"reason","org.matrix-crucible',
          '"msc4354_sticky_key":"r","org.matrix-crucible',
        ],
      ),
      sticksFor("is told that leaves do not last", 1),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      for (const id of ["none", "reason", "stays"]) await enterCall(alice, roomId, id);
      await expectInCall(world, call, roomId, ["none", "reason", "stays"]);

      await leaveCall(alice, roomId, "reason", {
        leave_reason: { code: "org.matrix-crucible.unheard_of" },
      });
      await leaveCall(alice, roomId, "none");

      await expectInCall(world, call, roomId, ["stays"]);
    });
  },
);

check(
  "MSC4143.member.update-transports",
  "the client sees a member's transports change, and the member stay",
  {
    ...SLOW,
    mutant: [
      hears("is told of the old one", ["ws://sfu-b", "ws://sfu-a"]),
      hears(
        "is told of something else that is no transport",
        ['"url":"ws://sfu-b"', '"url":0'],
        ['"livekit-b"', "0"],
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      await enterCall(alice, roomId, "moves");
      await expectInCall(world, call, roomId, ["moves"]);

      const published = [{ type: "livekit-b", url: "ws://sfu-b" }];
      const transports = { published, can_subscribe: ["livekit"] };
      await enterCall(alice, roomId, "moves", { content: { transports } });

      await world.eventually(async () => {
        const [member] = await call.roster(roomId);
        expectEqual(member?.transports, published, "the transports");
      });
      const rosters = call.happened.flatMap((each) => (each.what === "roster" ? [each] : []));
      const sizes = rosters.map(({ members }) => members.length);
      expectEqual(sizes, [1, 1], "how many were in the call after each change");
    });
  },
);

check(
  "MSC4143.member.forged-user",
  "the client takes nobody for a member whom another user names",
  {
    ...SLOW,
    mutant: hears("is told that the other sent it", ['"sender":"@liar:', '"sender":"@victim:']),
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const { roomId } = room;
    // Nobody else is on that server: the rule of the mutant knows them by name.
    const [liar, victim] = [`@liar:${peer.serverName}`, `@victim:${peer.serverName}`];
    for (const user of [liar, victim])
      await peer.join(roomId, user, { via: alice.server.serverName });
    await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
    await inCalls(async (callers) => {
      const call = await callers.start(alice);

      const content = memberOf({ userId: victim, deviceId: "DEVICE" }, "forged") as never;
      await peer.send(room, sticky(liar, { type: MEMBER, content }));
      await peer.fence(room, alice);
      await enterCall(alice, roomId, "honest");

      await world.eventually(async () => {
        const roster = await call.roster(roomId);
        const others = roster.filter(({ userId }) => userId !== liar);
        expectEqual(
          others.map(({ userId }) => userId),
          [alice.userId],
          "who is in the call, besides whoever sends lies",
        );
      });
      expectThat(
        (await call.roster(roomId)).every(({ userId }) => userId !== victim),
        "nobody in the call who has sent nothing",
        await call.roster(roomId),
      );
    });
  },
);

check(
  "MSC4143.member.encrypted-room",
  "the client does not count a member whose event is in clear in an encrypted room",
  { ...SLOW, mutant: sticksFor("is told that it sticks", LONG_MS) },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({
      ...CALL_ROOM,
      initial_state: [{ ...ENCRYPTION, state_key: "" }],
    });
    await bob.join(roomId);
    const encryption = { type: "org.matrix.msc4143.per_member" };
    await alice.setState(roomId, SLOT, { ...OPEN, encryption }, SLOT_ID);
    await inCalls(async (callers) => {
      const [call, honest] = await Promise.all([
        callers.start(bob, { crypto: "signed" }),
        callers.start(alice, { crypto: "signed" }),
      ]);

      await enterCall(alice, roomId, "in-clear");
      const memberId = await honest.join(roomId, { by: "sticky", library: STEADY });

      await expectInCall(world, call, roomId, [memberId]);
    });
  },
);
