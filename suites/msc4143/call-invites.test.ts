/** When matrix-js-sdk has a device ring, and what it sends for it (MSC4075). By these checks no homeserver fails. */
import type { InviteView, JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, STICKY } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { at, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  CALL_ROOM,
  type Callers,
  CLOSED,
  ENCRYPTION,
  enterCall,
  hears,
  inCalls,
  OPEN,
  SLOT,
  SLOT_ID,
  SLOW,
  STEADY,
} from "./callers.ts";
import { stick, stuck } from "./sticky.ts";

/** Names of m.rtc.invite and m.rtc.decline until the proposal is accepted. */
const INVITE = "org.matrix.msc4075.rtc.notification";
const DECLINE = "org.matrix.msc4310.rtc.decline";
const SENDS = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/*/*" };
const INVITES = { ...SENDS, contains: '"lifetime"' };
const DECLINES = { ...SENDS, contains: '"m.relates_to"' };
const LIFETIME_MS = 60_000;
/** The most that may be left of an invite (MSC4075 §Receiving invites). */
const CAP_MS = 120_000;

interface Scene {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

async function scene(world: World, room: JsonObject = CALL_ROOM): Promise<Scene> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom(room);
  await bob.join(roomId);
  await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
  return { alice, bob, roomId };
}

function invite(caller: Session, roomId: string, more: JsonObject = {}): Promise<string> {
  const content = {
    slot_id: SLOT_ID,
    msc4354_sticky_key: SLOT_ID,
    sender_ts: Date.now(),
    lifetime: LIFETIME_MS,
    "m.mentions": { room: true },
    notification_type: "ring",
    ...more,
  };
  return stick(caller, roomId, { type: INVITE, content });
}

/** What the device makes of an event, once it has seen it: of an invite, whether it rings. */
async function viewOf(
  world: World,
  call: JsSdkCall,
  roomId: string,
  eventId: string,
): Promise<InviteView> {
  return await world.eventually(async () => {
    const view = await call.invite(roomId, eventId);
    expectThat(view !== undefined, `the event ${eventId} on the device`, "nothing");
    return view;
  });
}

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

/** An event of this type as somebody else's syncs bring it. */
async function seen(session: Session, roomId: string, type: string): Promise<MatrixEvent> {
  const { found } = await session.syncUntil(undefined, `an event ${type}`, (body) =>
    [...stuck(body, roomId), ...timeline(body, roomId)].find((event) => event.type === type),
  );
  return found;
}

/** An invite and a decline of it as the library sends them, and others see them. */
async function exchanged(world: World, callers: Callers) {
  const { alice, bob, roomId } = await scene(world);
  const [caller, called] = await Promise.all([alice, bob].map((one) => callers.start(one)));
  const library = { ...STEADY, notificationType: "ring", notificationLifetimeMs: LIFETIME_MS };
  await caller?.join(roomId, { by: "sticky", library });
  const invited = await seen(bob, roomId, INVITE);
  await called?.decline(roomId, invited.event_id);
  return { invited, declined: await seen(alice, roomId, DECLINE) };
}

check(
  "MSC4075.invite.sticky",
  "the client writes invites and declines as it has to, each under its key",
  {
    ...SLOW,
    mutant: [
      altersRequest("calls without a key", INVITES, { remove: ["/msc4354_sticky_key"] }),
      altersRequest("calls nobody", INVITES, { set: { "/m.mentions": {} } }),
      altersRequest("has no lifetime", INVITES, { remove: ["/lifetime"] }),
      altersRequest("declines under another key", DECLINES, {
        set: { "/msc4354_sticky_key": "other" },
      }),
    ],
  },
  async (world) => {
    await inCalls(async (callers) => {
      const { invited, declined } = await exchanged(world, callers);

      const { content } = invited;
      const expected = { slot_id: SLOT_ID, msc4354_sticky_key: SLOT_ID, lifetime: LIFETIME_MS };
      expectContains(content, { ...expected, "m.mentions": { room: true } }, "the invite");
      expectThat(typeof content.sender_ts === "number", "sender_ts of the invite", content);
      expectContains(
        declined.content,
        {
          msc4354_sticky_key: invited.event_id,
          "m.relates_to": { rel_type: "m.reference", event_id: invited.event_id },
        },
        "the decline",
      );
    });
  },
);

check(
  "MSC4075.invite.sticky",
  "the client has invites and declines stick",
  {
    ...SLOW,
    mutant: altersRequest("calls for no time", INVITES, {
      head: [["sticky_duration_ms=", "other_duration_ms="]],
    }),
  },
  async (world) => {
    await inCalls(async (callers) => {
      const { invited, declined } = await exchanged(world, callers);

      for (const [event, what] of [
        [invited, "an invite"],
        [declined, "a decline"],
      ] as const) {
        const durationMs = at(event, STICKY, "duration_ms");
        expectThat(typeof durationMs === "number", `${what} that sticks`, event);
        if (durationMs < LIFETIME_MS) world.note(`${what} sticks for ${durationMs} ms only`);
      }
    });
  },
);

check(
  "MSC4075.invite.sticky",
  "the client encrypts invites and declines in an encrypted room",
  {
    ...SLOW,
    mutant: altersRequest("sends them in clear", DECLINES, {
      head: [["/m.room.encrypted/", `/${INVITE}/`]],
    }),
  },
  async (world) => {
    const initial_state = [{ ...ENCRYPTION, state_key: "" }];
    const { alice, bob, roomId } = await scene(world, { ...CALL_ROOM, initial_state });
    await inCalls(async (callers) => {
      const [caller, called] = await Promise.all(
        [alice, bob].map((one) => callers.start(one, { crypto: "signed" })),
      );
      const library = { ...STEADY, notificationType: "ring" };
      await caller?.join(roomId, { by: "sticky", library });

      // Its member and its invite; what the device makes of them tells which is which.
      const ids = new Set<string>();
      await bob.syncUntil(undefined, "a member and an invite", (body) => {
        for (const { event_id, type, sender, state_key } of timeline(body, roomId))
          if (sender === alice.userId && state_key === undefined) ids.add(`${type} ${event_id}`);
        return ids.size >= 2 ? true : undefined;
      });
      const rings = await world.eventually(async () => {
        const views = [...ids].map(async (id) => {
          const [type, eventId = ""] = id.split(" ");
          return { type, eventId, view: await called?.invite(roomId, eventId) };
        });
        const found = (await Promise.all(views)).find(({ view }) => view?.rings === true);
        expectThat(found !== undefined, "an invite that rings", [...ids]);
        return found;
      });
      const declined = (await called?.decline(roomId, rings.eventId)) ?? "";

      expectEqual(rings.type, "m.room.encrypted", "the type of the invite on the wire");
      const { type } = await alice.event(roomId, declined);
      expectEqual(type, "m.room.encrypted", "the type of the decline on the wire");
    });
  },
);

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
        type: "org.matrix.msc4143.rtc.member",
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
