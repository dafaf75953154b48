/** Invites and declines that matrix-js-sdk sends (MSC4075). By these checks no homeserver fails. */
import { STICKY } from "#harness/clients/rtc/names";
import { at, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  CALL_ROOM,
  type Callers,
  ENCRYPTION,
  inCalls,
  SLOT_ID,
  SLOW,
  STEADY,
  scene,
} from "./callers.ts";
import { DECLINE, DECLINES, INVITE, LIFETIME_MS, SENDS } from "./invites.ts";
import { stuck } from "./sticky.ts";

const INVITES = { ...SENDS, contains: '"lifetime"' };

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
