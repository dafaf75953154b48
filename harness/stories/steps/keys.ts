/** Steps about one-time and fallback keys, as the server hands them out and as somebody could misuse them. */
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { expectThat, fail, ok } from "#harness/world/expect";
import { name, names, step } from "../step.ts";
import type { Telling } from "../telling.ts";
import { crowd } from "./crowd.ts";
import { preKeyMessage } from "./olm.ts";

/** A key that a claim has handed out. */
interface Claimed {
  readonly id: string;
  readonly isFallback: boolean;
  readonly publicKey: string;
}

export const KEYS = {
  /**
   * Claims keys past any client, all at once. `as`: keeps the last one for `${…}`, and the keys for `keys`. `gives`: what
   * all of them have to be.
   */
  claim: step(
    z.strictObject({
      by: name,
      of: name,
      as: name.default("claimed"),
      times: z.number().int().positive().default(1),
      gives: z.enum(["one-time", "fallback", "any"]).default("any"),
      "may-fail": z.boolean().default(false),
    }),
    async (telling, given) => {
      const { session } = telling.device(given.by);
      const target = telling.device(given.of).session;
      const body = {
        one_time_keys: { [target.userId]: { [target.deviceId]: "signed_curve25519" } },
      };
      const claim = () => session.post("/_matrix/client/v3/keys/claim", body);
      const asked = await Promise.allSettled(Array.from({ length: given.times }, claim));
      const keys = keysOf(telling, given.as);
      for (const each of asked) {
        if (each.status === "rejected") {
          const { reason } = each;
          const isLost = reason instanceof HarnessError && reason.code === "HS_NO_ANSWER";
          if (given["may-fail"] && isLost) continue;
          throw reason;
        }
        if (given["may-fail"] && each.value.status >= 500) continue;
        const answer = ok(each.value);
        const found = at(answer, "one_time_keys", target.userId, target.deviceId);
        telling.values.set(given.as, found);
        const key = keyIn(found);
        if (key === undefined) fail("a key of the device", "none", each.value);
        keys.push(key);
        keysOf(telling, `of ${given.of}`).push(key);
        const kind = key.isFallback ? "fallback" : "one-time";
        expectThat(given.gives === "any" || given.gives === kind, `a ${given.gives} key`, kind);
      }
    },
  ),
  /** Of all one-time keys that were claimed of a device, none was handed out twice. */
  "unique-keys": step(name, async (telling, of) => {
    const ids = oneTimeIds(telling, of);
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
    expectThat(twice.length === 0, `${ids.length} different one-time keys`, `twice: ${twice}`);
    telling.world.note(`${ids.length} one-time keys of ${of} claimed`);
  }),
  /** Keys that were uploaded first are handed out first (MSC4225): the first so many claims gave none of a later upload. */
  "oldest-first": step(z.strictObject({ of: name, first: z.number() }), async (telling, given) => {
    // Ids count upwards, as base64 of big-endian numbers.
    const ids = oneTimeIds(telling, given.of).map((id) =>
      Buffer.from(id.split(":")[1] ?? "", "base64").toString("hex"),
    );
    const [first, later] = [ids.slice(0, given.first), ids.slice(given.first)];
    const newest = first.toSorted().at(-1) ?? "";
    const overtaken = later.filter((id) => id < newest);
    expectThat(later.length > 0, `more than ${given.first} one-time keys`, `${ids.length}`);
    expectThat(overtaken.length === 0, "older keys before newer ones", `late: ${overtaken}`);
  }),
  /** Whether kept claims gave the `same` keys, or `new` ones. */
  keys: step(
    z.union([
      z.strictObject({ same: z.array(name).min(2) }),
      z.strictObject({ new: z.array(name).min(2) }),
    ]),
    async (telling, given) => {
      const called = "same" in given ? given.same : given.new;
      const ids = called.map((each) => lastKey(telling, each));
      const wanted = "same" in given ? 1 : called.length;
      const what = `${called.join(", ")} to give ${wanted === 1 ? "one key" : "different keys"}`;
      expectThat(new Set(ids).size === wanted, what, ids);
    },
  ),
  /** What the server holds of a device, asked past its client. */
  holds: step(
    z.strictObject({
      of: name,
      "one-time": z.number().int().optional(),
      "fallback-unused": z.boolean().optional(),
    }),
    async (telling, given) => {
      const { session } = telling.device(given.of);
      const body = await session.sync({ filter: { room: { rooms: [] } } });
      const count = at(body, "device_one_time_keys_count", "signed_curve25519") ?? 0;
      const wanted = given["one-time"] ?? count;
      expectThat(count === wanted, `${wanted} one-time keys of ${given.of}`, `${count}`);
      const unused = at(body, "device_unused_fallback_key_types");
      const isUnused = Array.isArray(unused) && unused.includes("signed_curve25519");
      const isRight = isUnused === (given["fallback-unused"] ?? isUnused);
      expectThat(isRight, `the fallback key of ${given.of} ${isUnused ? "" : "un"}used`, unused);
    },
  ),
  /** A first Olm message that names a claimed key and is garbage otherwise; kept as text, or sent to a device. */
  "bad-prekey": step(
    z.strictObject({ by: name, key: name, to: name.optional(), as: name.optional() }),
    async (telling, given) => {
      const { session } = telling.device(given.by);
      const message = preKeyMessage(Buffer.from(lastKey(telling, given.key), "base64"));
      if (given.as !== undefined) telling.values.set(given.as, message.body);
      if (given.to === undefined) return;
      const target = telling.device(given.to).session;
      const known = ok(
        await session.post("/_matrix/client/v3/keys/query", {
          device_keys: { [target.userId]: [] },
        }),
      );
      const { userId, deviceId } = target;
      const theirs = at(known, "device_keys", userId, deviceId, "keys", `curve25519:${deviceId}`);
      const content = {
        algorithm: "m.olm.v1.curve25519-aes-sha2",
        sender_key: message.identityKey,
        ciphertext: { [String(theirs)]: { type: 0, body: message.body } },
      };
      const transaction = session.context.nextName("txn");
      const put = path`/_matrix/client/v3/sendToDevice/m.room.encrypted/${transaction}`;
      ok(await session.put(put, { messages: { [userId]: { [deviceId]: content } } }));
    },
  ),
  /** Further devices of a user, with keys and without clients. */
  crowd: step(z.strictObject({ of: name, devices: z.number().int() }), async (telling, given) => {
    await crowd(telling.world, telling.device(given.of).session, given.devices);
  }),
  /** A second process with the same access token takes in what is there, and has the server forget it. */
  "consume-elsewhere": step(names, async (telling, who) => {
    for (const each of who) {
      const { session } = telling.device(each);
      const { next_batch } = await session.sync();
      await session.sync({ since: next_batch });
    }
  }),
  /** Keeps what a sync would bring now as to-device events, without acknowledging it. */
  "keep-to-device": step(z.strictObject({ of: name, as: name }), async (telling, given) => {
    const body = await telling.device(given.of).session.sync();
    telling.values.set(given.as, at(body, "to_device", "events") ?? []);
  }),
  /** Keeps the ciphertext of a message with its last characters changed. */
  tampered: step(z.strictObject({ by: name, what: name, as: name }), async (telling, given) => {
    const { roomId, sent } = telling.message(given.what);
    const { content } = await telling.device(given.by).session.event(roomId, sent.eventId);
    const text = String(content.ciphertext);
    const changed = text.endsWith("AAAAAA") ? "BBBBBB" : "AAAAAA";
    telling.values.set(given.as, text.slice(0, -6) + changed);
  }),
};

function keysOf(telling: Telling, claim: string): Claimed[] {
  const kept = telling.values.get(`keys ${claim}`) as Claimed[] | undefined;
  if (kept !== undefined) return kept;
  const keys: Claimed[] = [];
  telling.values.set(`keys ${claim}`, keys);
  return keys;
}

/** Public half of what the last claim of this name gave. */
function lastKey(telling: Telling, claim: string): string {
  const key = telling.kept<readonly Claimed[]>("keys", claim).at(-1);
  if (key === undefined) fail(`a key by the claim ${claim}`, "none");
  return key.publicKey;
}

function oneTimeIds(telling: Telling, of: string): readonly string[] {
  return keysOf(telling, `of ${of}`)
    .filter(({ isFallback }) => !isFallback)
    .map(({ id }) => id);
}

function keyIn(keys: unknown): Claimed | undefined {
  const [entry] = Object.entries(isObject(keys) ? keys : {});
  if (entry === undefined) return undefined;
  const [id, key] = entry;
  return {
    id,
    isFallback: at(key, "fallback") === true,
    publicKey: String(at(key, "key")),
  };
}
