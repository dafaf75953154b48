/** Steps with which something is said, and those that tell who can read it. */
import { z } from "zod";
import type { ReadResult, Unreadable } from "#harness/clients/crypto/crypto-client";
import { expectEqual, expectThat, fail } from "#harness/world/expect";
import { name, names, room, root, step } from "../step.ts";
import type { Telling } from "../telling.ts";
import { syncOnce } from "./syncing.ts";

const READ_MS = 15_000;
/** Longer than clients and servers wait before they try again. */
const HEAL_MS = 45_000;
const LONG_POLL_MS = 250;
const oneOf = z.union([z.string().transform((only) => [only]), z.array(z.string()).min(1)]);

export const MESSAGES = {
  /** Several times: `m1`, `m2`, … when it is called `m`. */
  send: step(
    z.strictObject({
      by: name,
      as: name,
      times: z.number().int().positive().optional(),
      /** Each begins a new session. */
      rotate: z.boolean().default(false),
      room,
    }),
    async (telling, { by, as, times, rotate, room }) => {
      const called =
        times === undefined ? [as] : Array.from({ length: times }, (_, at) => `${as}${at + 1}`);
      const roomId = telling.room(room);
      for (const each of called) {
        if (rotate) await telling.device(by).client.rotate(roomId);
        const content = { msgtype: "m.text", body: `${each} of ${by}` };
        const sent = await telling.device(by).client.send(roomId, content);
        telling.messages.set(each, { roomId, sent, content });
      }
    },
  ),
  /** Encrypted to-device events that mean nothing. */
  "to-device": step(
    z.strictObject({ by: name, to: name, times: z.number().int().positive().default(1) }),
    async (telling, { by, to, times }) => {
      const { client } = telling.device(by);
      const { userId, deviceId } = telling.device(to).client;
      for (let sent = 0; sent < times; sent++)
        await client.sendToDevice(userId, deviceId, "org.matrix-crucible.note", { note: sent });
    },
  ),
  /** They sync until they can read all of it. `now`: they can already, without a sync. */
  reads: step(
    z.strictObject({ who: names, what: names, now: z.boolean().default(false) }),
    async (telling, given) => {
      await Promise.all(
        given.who.map(async (who) => {
          for (const what of given.what) await untilReadable(telling, who, what, given.now);
        }),
      );
    },
  ),
  /** Says something again and again until one of it is readable, which is then called so. For what heals by itself. */
  "sends-until-read": step(
    z.strictObject({ by: name, as: name, who: names, room }),
    async (telling, { by, as, who, room }) => {
      const roomId = telling.room(room);
      const content = { msgtype: "m.text", body: `${as} of ${by}` };
      await telling.world.eventually(
        async () => {
          for (const each of [by, ...who]) await syncOnce(telling, each, LONG_POLL_MS);
          const sent = await telling.device(by).client.send(roomId, content);
          telling.messages.set(as, { roomId, sent, content });
          for (const each of who) {
            const result = await readSoon(telling, each, roomId, sent.eventId);
            if (!result.isReadable) fail(`a message of ${by} readable for ${each}`, tell(result));
          }
        },
        { deadlineMs: HEAL_MS },
      );
    },
  ),
  /** Readable in the end or not, for one of these reasons: what a race decides. */
  "reads-or": step(
    z.strictObject({ who: name, what: name, code: oneOf, root: root.optional() }),
    async (telling, { who, what, code, root }) => {
      const { roomId, sent } = telling.message(what);
      const result = await readSoon(telling, who, roomId, sent.eventId);
      if (result.isReadable) return;
      telling.keep(telling.device(who), what, result, root ?? telling.story.hunts);
      expectThat(code.includes(result.code), `${code.join(" or ")} if unreadable`, tell(result));
    },
  ),
  /** Not now, for one of these reasons; they do not sync before. */
  unreadable: step(
    z.strictObject({
      who: names,
      what: names,
      code: oneOf.default(["MissingRoomKey"]),
      withheld: oneOf.optional(),
      root: root.optional(),
    }),
    async (telling, { who, what, code, withheld, root }) => {
      for (const each of who) {
        for (const message of what) {
          const why = await whyUnreadable(telling, each, message);
          telling.keep(telling.device(each), message, why, root ?? telling.story.hunts);
          const what = `${message} to be unreadable for ${each}`;
          expectThat(code.includes(why.code), `${what} as ${code.join(" or ")}`, tell(why));
          // What a kind takes no notice of it can not tell.
          const isSilent = telling.device(each).client.lacks("withheld") !== undefined;
          const isWithheld = isSilent || (withheld?.includes(why.withheld ?? "none") ?? true);
          expectThat(isWithheld, `${what}, withheld as ${withheld?.join(" or ")}`, tell(why));
        }
      }
    },
  ),
  /** These have the same place in the same megolm session: who has the one key has the other. */
  "same-index": step(z.array(name).min(2), async (telling, called) => {
    const places = called.map((each) => {
      const { sessionId, index } = telling.message(each).sent;
      return `${sessionId} ${index}`;
    });
    expectThat(new Set(places).size === 1, `${called.join(", ")} at one place`, places);
  }),
  /** Of which megolm session messages are. */
  session: step(
    z.union([
      z.strictObject({ same: z.array(name).min(2) }),
      z.strictObject({ new: z.array(name).min(2) }),
    ]),
    async (telling, given) => {
      const called = "same" in given ? given.same : given.new;
      const sessions = called.map((each) => telling.message(each).sent.sessionId);
      const wanted = "same" in given ? 1 : called.length;
      const what = `${called.join(", ")} to be of ${wanted === 1 ? "one session" : "different sessions"}`;
      expectThat(new Set(sessions).size === wanted, what, sessions);
    },
  ),
};

async function untilReadable(
  telling: Telling,
  who: string,
  what: string,
  isNow: boolean,
): Promise<void> {
  const { roomId, sent, content } = telling.message(what);
  let last: Unreadable | undefined;
  try {
    await telling.world.eventually(
      async () => {
        const result = isNow
          ? await telling.device(who).client.read(roomId, sent.eventId)
          : await readOrSync(telling, who, roomId, sent.eventId);
        last = result.isReadable ? undefined : result;
        if (!result.isReadable) fail(`${what} to be readable for ${who}`, tell(result));
        expectEqual(result.content.body, content.body, `${what} as ${who} reads it`);
      },
      { deadlineMs: isNow ? 0 : READ_MS },
    );
  } catch (error) {
    if (last !== undefined) telling.keep(telling.device(who), what, last);
    throw error;
  }
}

async function readOrSync(
  telling: Telling,
  who: string,
  roomId: string,
  eventId: string,
): Promise<ReadResult> {
  await syncOnce(telling, who);
  const { client } = telling.device(who);
  const result = await client.read(roomId, eventId);
  if (result.isReadable) return result;
  await syncOnce(telling, who, LONG_POLL_MS);
  return client.read(roomId, eventId);
}

/** As it is once the event is there at all and a sync has been. */
async function readSoon(
  telling: Telling,
  who: string,
  roomId: string,
  eventId: string,
): Promise<ReadResult> {
  return telling.world.eventually(() => readOrSync(telling, who, roomId, eventId));
}

/** Once the event is there at all. */
async function whyUnreadable(telling: Telling, who: string, what: string): Promise<Unreadable> {
  const { roomId, sent } = telling.message(what);
  const { client } = telling.device(who);
  const result = await telling.world.eventually(() => client.read(roomId, sent.eventId));
  if (result.isReadable) return fail(`${what} to be unreadable for ${who}`, "it was read");
  return result;
}

function tell({ code, withheld, text }: Unreadable): string {
  return `${code}${withheld === undefined ? "" : ` (${withheld})`}: ${text}`;
}
