/**
 * Media keys that matrix-js-sdk takes (MSC4143 §Distributing keys). By these checks no homeserver fails. The library reads the
 * deployed form, so that rules are decided by it: a library that reads the other one discards what is wrong in both.
 */
import { CallParty, digestOf, type MediaKey, newKey } from "#harness/clients/rtc/call-party";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { Call, CLIENTS, LIBRARY, LOSES_KEYS, LOSES_LETTERS, told } from "./media-keys.ts";

const LOSES = { ...CLIENTS, mutant: [LOSES_KEYS, LOSES_LETTERS] };

/** It has taken in all that came, and this is not among what it uses. */
function expectDiscarded(call: Call, key: MediaKey, what: string): void {
  const used = call.used(key);
  const expected = `${LIBRARY} to discard ${what} (${digestOf(key.key)})`;
  expectThat(used === undefined, expected, used && { userId: used.userId, ...told(used) });
}

check(
  "MSC4143.key.wire",
  "the client takes a key that is written as in the text",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");
    const { party, memberId } = call.member("bob");
    const key = newKey(memberId, 3);

    await party.sendKey(call.alice.session, call.roomId, key, { form: "text" });
    await call.fence("bob");

    const used = call.used(key);
    expectThat(used !== undefined, `${LIBRARY} to use it (${digestOf(key.key)})`, "it does not");
    expectEqual(used.index, 3, "its index");
  },
);

check(
  "MSC4143.key.wire-legacy",
  "the client takes a key that is written as deployed clients do",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");
    const { party, memberId } = call.member("bob");
    const key = newKey(memberId, 3);

    await party.sendKey(call.alice.session, call.roomId, key);

    const used = await call.untilUsed(key, "the key");
    const { userId, deviceId } = party;
    const ofBob = { userId, deviceId, memberId, index: 3 };
    expectEqual(
      { userId: used.userId, deviceId: used.deviceId, memberId: used.memberId, index: used.index },
      ofBob,
      `what ${LIBRARY} uses it for`,
    );
  },
);

check(
  "MSC4143.key.encrypted-only",
  "the client discards a key that comes in clear",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");
    const { party, memberId } = call.member("bob");
    const keys = [newKey(memberId, 1), newKey(memberId, 2)] as const;

    for (const [index, form] of (["deployed", "text"] as const).entries()) {
      const key = keys[index] ?? keys[0];
      const inClear = { form, isEncrypted: false };
      await party.sendKey(call.alice.session, call.roomId, key, inClear);
    }
    await call.fence("bob");

    for (const key of keys) expectDiscarded(call, key, "a key that came in clear");
  },
);

check(
  "MSC4143.key.sender-match",
  "the client does not take a user's key for one of another user",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob", "carol"] });
    await call.joinAlice();
    await call.join("bob", "carol");
    const { party: carol, memberId } = call.member("carol");
    const key = newKey(memberId, 1);

    const claims = carol.deviceId;
    const { party } = call.member("bob");
    await party.sendKey(call.alice.session, call.roomId, key, { claims });
    await call.fence("bob");

    expectDiscarded(call, key, "bob's key for carol");
  },
);

check(
  "MSC4143.key.sender-match",
  "the client discards a key with the member id of another user",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob", "carol"] });
    await call.joinAlice();
    await call.join("bob", "carol");
    const key = newKey(call.member("carol").memberId, 1);

    await call.member("bob").party.sendKey(call.alice.session, call.roomId, key);
    await call.fence("bob");

    expectDiscarded(call, key, "bob's key with the member id of carol");
  },
);

check(
  "MSC4143.key.sender-match",
  "the client discards a key from another device of the member's user",
  LOSES,
  async (world) => {
    const library = { crypto: "unsigned" } as const;
    const partyOptions = { bob: { isSigned: false } };
    await using call = await Call.open(world, { parties: ["bob"], partyOptions, library });
    await call.joinAlice();
    await call.join("bob");
    const { party, memberId } = call.member("bob");
    const login = await world.login(party.session);
    await using other = await CallParty.start(login, { isSigned: false });
    const key = newKey(memberId, 1);

    await other.sendKey(call.alice.session, call.roomId, key, { claims: party.deviceId });
    await call.fence("bob");

    expectDiscarded(call, key, "a key of a device that is not in the call");
  },
);

check(
  "MSC4143.key.cross-signed",
  "the client discards a key from a device that its user has not signed",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, {
      parties: ["bob", "carol"],
      partyOptions: { bob: { isSigned: false } },
    });
    await call.joinAlice();
    await call.join("carol");
    const { party } = call.member("bob");
    // By state, as deployed clients do: the library can not read what such a device encrypts for the room.
    await party.joinByState(call.roomId);
    const memberId = `${party.userId}:${party.deviceId}`;
    await call.untilInRoster(memberId);
    const key = newKey(memberId, 1);

    await party.sendKey(call.alice.session, call.roomId, key);
    await call.fence("carol");

    expectDiscarded(call, key, "a key of a device that nobody has signed");
  },
);

check(
  "MSC4143.key.early",
  "the client keeps a key that comes before its sender is in the call, and uses it then",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob", "carol"] });
    await call.joinAlice();
    await call.join("carol");
    const { party, memberId } = call.member("bob");
    const key = newKey(memberId, 1);

    await party.sendKey(call.alice.session, call.roomId, key);
    await call.fence("carol");
    expectDiscarded(call, key, "for now the key of nobody in the call");
    await call.join("bob");

    await call.untilUsed(key, "the key that came before its sender");
  },
);

check(
  "MSC4143.key.index",
  "the client takes a new key of index 0 after one of index 255",
  LOSES,
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");
    const { party, memberId } = call.member("bob");
    const keys = [0, 254, 255, 0, 1].map((index) => newKey(memberId, index));

    for (const key of keys) await party.sendKey(call.alice.session, call.roomId, key);
    for (const key of keys) await call.untilUsed(key, `a key of index ${key.index}`);

    const ofBob = call.alice.keys().filter(({ userId }) => userId === party.userId);
    expectEqual(ofBob.map(told), keys.map(told), `the keys of bob that ${LIBRARY} has used`);
  },
);
