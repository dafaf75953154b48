/** Steps with which something is said, and those that tell who can read it. */
import { z } from "zod";
import type { ReadResult, Unreadable } from "#harness/clients/crypto/crypto-client";
import { expectEqual, expectThat, fail } from "#harness/world/expect";
import { name, names, room, step } from "../step.ts";
import type { Telling } from "../telling.ts";
import { syncOnce } from "./syncing.ts";

const READ_MS = 15_000;
const LONG_POLL_MS = 250;
const oneOf = z.union([z.string().transform((only) => [only]), z.array(z.string()).min(1)]);

export const MESSAGES = {
  /** Several times: `m1`, `m2`, … when it is called `m`. */
  send: step(
    z.strictObject({
      by: name,
      as: name,
      times: z.number().int().positive().optional(),
      room,
    }),
    async (telling, { by, as, times, room }) => {
      const called =
        times === undefined ? [as] : Array.from({ length: times }, (_, at) => `${as}${at + 1}`);
      const roomId = telling.room(room);
      for (const each of called) {
        const content = { msgtype: "m.text", body: `${each} of ${by}` };
        const sent = await telling.device(by).client.send(roomId, content);
        telling.messages.set(each, { roomId, sent, content });
      }
    },
  ),
  /** They sync until they can read all of it. */
  reads: step(z.strictObject({ who: names, what: names }), async (telling, given) => {
    await Promise.all(
      given.who.map(async (who) => {
        for (const what of given.what) await untilReadable(telling, who, what);
      }),
    );
  }),
  /** Not now, for one of these reasons; they do not sync before. */
  unreadable: step(
    z.strictObject({
      who: names,
      what: names,
      code: oneOf.default(["MissingRoomKey"]),
      withheld: oneOf.optional(),
    }),
    async (telling, { who, what, code, withheld }) => {
      for (const each of who) {
        for (const message of what) {
          const why = await whyUnreadable(telling, each, message);
          telling.keep(telling.device(each), message, why, true);
          const what = `${message} to be unreadable for ${each}`;
          expectThat(code.includes(why.code), `${what} as ${code.join(" or ")}`, tell(why));
          const isWithheld = withheld?.includes(why.withheld ?? "none") ?? true;
          expectThat(isWithheld, `${what}, withheld as ${withheld?.join(" or ")}`, tell(why));
        }
      }
    },
  ),
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

async function untilReadable(telling: Telling, who: string, what: string): Promise<void> {
  const { roomId, sent, content } = telling.message(what);
  let last: Unreadable | undefined;
  try {
    await telling.world.eventually(
      async () => {
        const result = await readOrSync(telling, who, roomId, sent.eventId);
        last = result.isReadable ? undefined : result;
        if (!result.isReadable) fail(`${what} to be readable for ${who}`, tell(result));
        expectEqual(result.content.body, content.body, `${what} as ${who} reads it`);
      },
      { deadlineMs: READ_MS },
    );
  } catch (error) {
    if (last !== undefined) telling.keep(telling.device(who), what, last, false);
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
