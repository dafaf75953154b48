/** When matrix-js-sdk has a device ring (MSC4075). By these checks no homeserver fails. */
import type { JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, MEMBER, SLOT } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { CLOSED, enterCall, hears, inCalls, SLOT_ID, SLOW, scene } from "./callers.ts";
import { DECLINES, INVITE, invite, LIFETIME_MS, SENDS, viewOf } from "./invites.ts";
import { stick } from "./sticky.ts";

/** The most that may be left of an invite (MSC4075 §Receiving invites). */
const CAP_MS = 120_000;

/** Whether it rings comes to be so. */
async function expectRinging(
  world: World,
  call: JsSdkCall,
  { roomId, eventId, rings }: { roomId: string; eventId: string; rings: boolean },
  what: string,
): Promise<void> {
  await world.eventually(async () => {
    expectContains(await viewOf(world, call, roomId, eventId), { rings }, what);
  });
}

check(
  "MSC4075.invite.valid",
  "the client has the device ring by an invite to its user, and by none that is not valid",
  {
    ...SLOW,
    mutant: [
      hears("is told of none that calls its user", [
        '"m.mentions":{"room":true}',
        '"m.mentions":0',
      ]),
      hears("is told of a longer life", ['"lifetime":1,', '"lifetime":60000,']),
      hears("is told that all are called", ['"user_ids":["@nobody:hs1"]', '"room":true']),
      hears("is told that the slot is open", [
        '"status":"closed"',
        '"status":"open","application":{"type":"m.call"}',
      ]),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const ringsBy = async (more: JsonObject, caller = alice) =>
        (await viewOf(world, call, roomId, await invite(caller, roomId, more))).rings;
      const forBob = { "m.mentions": { user_ids: [bob.userId] } };

      const found = {
        all: await ringsBy({}),
        user: await ringsBy(forBob),
        over: await ringsBy({ lifetime: 1, sender_ts: Date.now() - 10 }),
        others: await ringsBy({ "m.mentions": { user_ids: ["@nobody:hs1"] } }),
        nobody: await ringsBy({ "m.mentions": {} }),
        own: await ringsBy(forBob, bob),
      };
      const eventId = await invite(alice, roomId);
      await expectRinging(world, call, { roomId, eventId, rings: true }, "an invite");
      await alice.setState(roomId, SLOT, CLOSED, SLOT_ID);
      await expectRinging(world, call, { roomId, eventId, rings: false }, "one to a closed slot");

      const expected = {
        all: true,
        user: true,
        over: false,
        others: false,
        nobody: false,
        own: false,
      };
      expectEqual(found, expected, "which invites ring");
    });
  },
);

check(
  "MSC4075.invite.valid",
  "the client has the device ring no more once its user is in the call or has left it",
  {
    ...SLOW,
    mutant: [
      hears("is not told that its user is in the call", ['"id":"own"', '"id":0']),
      hears("is told that others have called anew", [
        '"msc4354_sticky_key":"own"',
        '"msc4354_sticky_key":"own","x":1',
      ]),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const eventId = await invite(alice, roomId);
      await expectRinging(world, call, { roomId, eventId, rings: true }, "an invite");

      await enterCall(bob, roomId, "own");
      const what = "an invite of somebody who";
      await expectRinging(world, call, { roomId, eventId, rings: false }, `${what} is in the call`);
      const slot_id = SLOT_ID;
      await stick(bob, roomId, {
        type: MEMBER,
        content: { slot_id, msc4354_sticky_key: "own" },
      });

      await world.eventually(async () => {
        const view = await call.invite(roomId, eventId);
        const reason = view?.rings === false ? view.reason : "";
        expectThat(reason.includes("left"), `${what} has left, which is not valid`, view);
      });
    });
  },
);

check(
  "MSC4075.invite.valid",
  "the client measures an invite from the server's time when its sender is ahead, and has none ring for more than two minutes",
  {
    ...SLOW,
    mutant: hears("is told of another time", ['"origin_server_ts":1', '"origin_server_ts":2']),
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const remaining = async (more: JsonObject) => {
        const view = await viewOf(world, call, roomId, await invite(alice, roomId, more));
        expectThat(view.rings, "an invite that rings", view);
        return view.remainingMs;
      };

      const ahead = await remaining({ sender_ts: Date.now() + 600_000 });
      const long = await remaining({ lifetime: 3_600_000 });

      expectThat(ahead <= LIFETIME_MS, `at most ${LIFETIME_MS} ms to ring`, ahead);
      expectThat(long <= CAP_MS, `at most ${CAP_MS} ms to ring`, long);
    });
  },
);

check(
  "MSC4075.invite.withdraw",
  "the client has the device ring no more once the invite is withdrawn or redacted",
  {
    ...SLOW,
    mutant: [
      altersRequest(
        "withdraws another one",
        { ...SENDS, contains: "note=withdrawn" },
        { replace: [[`"msc4354_sticky_key":"${SLOT_ID}"`, '"msc4354_sticky_key":"other"']] },
      ),
      hears("is not told of redactions", ['"m.room.redaction"', '"m.room.other"']),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const ringing = async () => {
        const eventId = await invite(alice, roomId);
        await expectRinging(world, call, { roomId, eventId, rings: true }, "an invite");
        return { roomId, eventId, rings: false };
      };

      const withdrawn = await ringing();
      await stick(alice, roomId, {
        type: INVITE,
        content: { msc4354_sticky_key: SLOT_ID },
        // For the rule of the mutant.
        query: { note: "withdrawn" },
      });
      await expectRinging(world, call, withdrawn, "an invite that was withdrawn");
      const redacted = await ringing();
      const transaction = world.name("txn");
      const target = path`/_matrix/client/v3/rooms/${roomId}/redact/${redacted.eventId}/${transaction}`;
      ok(await alice.put(target, {}));

      await expectRinging(world, call, redacted, "an invite that was redacted");
    });
  },
);

check(
  "MSC4075.decline",
  "the client has the device ring no more once another device of its user has declined",
  {
    ...SLOW,
    mutant: altersRequest("declines something else", DECLINES, {
      set: { "/msc4354_sticky_key": "$other" },
      remove: ["/m.relates_to"],
    }),
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    const other = await world.login(bob);
    await inCalls(async (callers) => {
      const [call, decliner] = await Promise.all([bob, other].map((one) => callers.start(one)));
      if (call === undefined || decliner === undefined) return;
      const eventId = await invite(alice, roomId);
      await expectRinging(world, call, { roomId, eventId, rings: true }, "an invite");

      const lost = await decliner
        .decline(roomId, `$${world.name("nothing")}`)
        .catch(() => undefined);
      if (lost !== undefined) await viewOf(world, call, roomId, lost);
      // It comes in a later sync than the decline, of which the device has made what it makes by then.
      await viewOf(
        world,
        call,
        roomId,
        await alice.send(roomId, { msgtype: "m.text", body: "hi" }),
      );
      expectContains(
        await viewOf(world, call, roomId, eventId),
        { rings: true },
        "an invite after a decline of an event that nobody knows",
      );

      await decliner.decline(roomId, eventId);

      await expectRinging(world, call, { roomId, eventId, rings: false }, "one that was declined");
    });
  },
);

check(
  "MSC4075.legacy.content",
  "the client takes invites of either form, and has none live longer than two minutes",
  {
    ...SLOW,
    mutant: hears("is told of no reference", ['"rel_type":"m.reference"', '"rel_type":"m.other"']),
  },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const member = await alice.setState(
        roomId,
        LEGACY_MEMBER,
        {
          application: "m.call",
          call_id: "",
          scope: "m.room",
          device_id: alice.deviceId,
          focus_active: { type: "livekit", focus_selection: "oldest_membership" },
          foci_preferred: [],
        },
        `_${alice.userId}_${alice.deviceId}_m.call`,
      );

      const older = {
        sender_ts: Date.now(),
        lifetime: 3_600_000,
        "m.mentions": { room: true },
        notification_type: "ring",
        "m.relates_to": { rel_type: "m.reference", event_id: member },
      };
      const ids = [await alice.send(roomId, older, INVITE), await invite(alice, roomId)];

      for (const eventId of ids) {
        const view = await viewOf(world, call, roomId, eventId);
        expectThat(view.rings, "an invite that rings", view);
        expectEqual(at(view.content as JsonObject, "slot_id"), SLOT_ID, "the slot of the invite");
        expectThat(view.remainingMs <= CAP_MS, `at most ${CAP_MS} ms`, view.remainingMs);
      }
    });
  },
);
