/** When matrix-js-sdk makes new media keys, and when it uses them (MSC4143 §Rotating keys). By these checks no homeserver fails. */
import { digestOf } from "#harness/clients/rtc/call-party";
import { MEMBER } from "#harness/clients/rtc/names";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { STEADY } from "./callers.ts";
import { delayedEvents } from "./delayed.ts";
import {
  Call,
  CLIENTS,
  COMES_MS,
  FOR_LEAVES,
  LIBRARY,
  LOSES_LEAVES,
  LOSES_LETTERS,
  SAME_KEY,
  told,
} from "./media-keys.ts";

/** As the text recommends it, and the delay of one rotation that is under way. */
const DELAY_MS = 5_000;
const LATEST_MS = 2 * DELAY_MS + 1_000;
const MAILS = { method: "PUT", path: "/_matrix/client/v3/sendToDevice/m.room.encrypted/*" };

check(
  "MSC4143.rotate.leave",
  "the client sends a new key to who is left when a member leaves, and uses it soon",
  { ...CLIENTS, mutant: [LOSES_LEAVES, SAME_KEY, LOSES_LETTERS] },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob", "carol"], config: FOR_LEAVES });
    await call.joinAlice();
    await call.join("bob", "carol");
    const known = (await call.keysAt("bob", 1)).map(({ key }) => digestOf(key));
    const before = (await call.keysAt("carol", 1)).length;

    await call.member("bob").leave();
    const leftMs = Date.now();
    const renewed = (await call.keysAt("carol", before + 1)).at(-1);

    expectThat(renewed !== undefined, `a key of ${LIBRARY} after the leave`, "none");
    const { index, key } = renewed;
    const isNew = !known.includes(digestOf(key));
    expectThat(isNew, "a key that bob has not got", told(renewed));
    const used = await call.untilUsed(renewed, "the new key");
    const tookMs = used.atMs - leftMs;
    expectThat(tookMs <= LATEST_MS, `it in use within ${LATEST_MS} ms`, `${tookMs} ms`);
    expectEqual(call.ownKeys().at(-1)?.index, index, "the index that it encrypts with");
    const later = (await call.member("bob").party.keys()).slice(known.length);
    expectEqual(later.map(told), [], "the keys at bob after his leave");
    world.note(`the new key was in use ${tookMs} ms after the leave was sent`);
  },
);

check(
  "MSC4143.rotate.join",
  "the client sends who joins late a new key, and never the one before",
  { ...CLIENTS, mutant: [SAME_KEY, LOSES_LETTERS] },
  async (world) => {
    const config = { keyRotationGracePeriodMs: 0 };
    await using call = await Call.open(world, { parties: ["bob", "carol"], config });
    await call.joinAlice();
    await call.join("bob");
    const earlier = await call.keysAt("bob", 1);

    await call.join("carol");
    const atCarol = await call.keysAt("carol", 1);
    const later = await call.keysAt("bob", earlier.length + 1);

    const known = earlier.map(({ key }) => digestOf(key));
    const shared = atCarol.filter(({ key }) => known.includes(digestOf(key)));
    expectEqual(shared.map(told), [], "the keys from before her join at carol");
    expectEqual(later.slice(-1).map(told), atCarol.map(told), "bob's last key");
  },
);

check(
  "MSC4143.rotate.join",
  "the client spares the others a new key when somebody joins soon after the last one",
  { ...CLIENTS, mutant: LOSES_LETTERS },
  async (world) => {
    const config = FOR_LEAVES;
    await using call = await Call.open(world, { parties: ["bob", "carol"], config });
    await call.joinAlice();
    await call.join("bob");
    const [atBob] = await call.keysAt("bob", 1);

    await call.join("carol");
    const [atCarol] = await call.keysAt("carol", 1);

    expectEqual(atCarol && told(atCarol), atBob && told(atBob), "the key at carol");
  },
);

check(
  "MSC4143.rotate.delay",
  "the client uses a new key only some time after it has sent it",
  {
    ...CLIENTS,
    mutant: {
      name: "takes seven seconds to accept what is for devices",
      rules: [{ match: MAILS, phase: "before", action: { kind: "delay", ms: 7_000 } }],
    },
  },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob", "carol"], config: FOR_LEAVES });
    await call.joinAlice();
    await call.join("bob", "carol");
    await call.keysAt("carol", 1);

    const leftMs = Date.now();
    await call.member("bob").leave();
    const used = await world.eventually(
      () => {
        const [, second] = call.ownKeys();
        expectThat(second !== undefined, `a second key in use by ${LIBRARY}`, "the first");
        return second;
      },
      { deadlineMs: COMES_MS },
    );

    const { party } = call.member("carol");
    const { userId } = party;
    const mailed = await world.eventually(
      async () => {
        const keys = (await party.keys()).map(({ key }) => digestOf(key));
        expectThat(keys.includes(digestOf(used.key)), "the new key at carol", keys);
        const found = call.alice.happened.findLast(
          ({ what, atMs, ...each }) =>
            what === "mailed" &&
            atMs > leftMs &&
            "to" in each &&
            each.to.some((to) => to.userId === userId),
        );
        expectThat(found !== undefined, "the request that brought it", "none");
        return found;
      },
      { deadlineMs: COMES_MS },
    );
    const betweenMs = used.atMs - mailed.atMs;
    const isBetween = betweenMs > 0 && betweenMs <= DELAY_MS + 1_000;
    const expected = `the key in use up to ${DELAY_MS + 1_000} ms after it was accepted`;
    expectThat(isBetween, expected, `${betweenMs} ms`);
    world.note(`${LIBRARY} used the new key ${betweenMs} ms after the server had accepted it`);
  },
);

check(
  "MSC4143.rotate.coalesce",
  "the client makes no more than two new keys when five members leave together",
  {
    ...CLIENTS,
    mutant: {
      name: "spreads what it is asked over half a minute",
      rules: [
        {
          match: {
            method: "PUT",
            path: "/_matrix/client/v3/rooms/*/send/m.room.encrypted/leave-1",
          },
          phase: "before",
          action: { kind: "delay", ms: 0, jitterMs: 30_000 },
        },
      ],
    },
  },
  async (world) => {
    const leavers = ["bob", "carol", "dave", "erin", "frank"];
    const config = { ...FOR_LEAVES, useKeyDelay: DELAY_MS };
    await using call = await Call.open(world, { parties: [...leavers, "grace"], config });
    await call.joinAlice();
    await call.join(...leavers, "grace");
    const before = await call.keysAt("grace", 1);
    const letters = () => call.alice.happened.filter(({ what }) => what === "mailed").length;
    const sent = letters();

    const from = performance.now();
    await Promise.all(leavers.map((name) => call.member(name).leave()));
    const tookMs = Math.round(performance.now() - from);
    await world.quietPeriod(LATEST_MS);

    const later = (await call.member("grace").party.keys()).slice(before.length);
    const digests = new Set(later.map(({ key }) => digestOf(key)));
    const isFew = digests.size >= 1 && digests.size <= 2;
    expectThat(isFew, `one or two new keys of ${LIBRARY}`, later.map(told));
    world.note(
      `${LIBRARY} made ${digests.size} new keys for five leaves, in ${letters() - sent} requests; the leaves took ${tookMs} ms`,
    );
  },
);

check(
  "MSC4143.rotate.lapse",
  "the client uses the key that it sends after it was taken for gone and has joined again",
  { ...CLIENTS, mutant: LOSES_LETTERS },
  async (world) => {
    const config = { ...STEADY, ...FOR_LEAVES };
    await using call = await Call.open(world, { parties: ["bob"], config });
    const memberId = await call.joinAlice();
    const { alice, roomId } = call;
    const before = alice.happened.length;
    const delayId = alice.sent(MEMBER).findLast((each) => each.delayId !== undefined)?.delayId;
    expectThat(delayId !== undefined, `a leave that ${LIBRARY} has scheduled`, "none");

    ok(await delayedEvents(world).act(alice.session, delayId, "send"));
    await world.eventually(
      () => {
        const isGone = alice.happened
          .slice(before)
          .some(
            (each) =>
              each.what === "roster" && each.members.every((one) => one.memberId !== memberId),
          );
        expectThat(isGone, `${LIBRARY} to see that it is gone`, "it is in each roster");
      },
      { deadlineMs: COMES_MS },
    );
    await call.untilInRoster(memberId);
    await call.join("bob");
    const [sent] = await call.keysAt("bob", 1);

    expectThat(sent !== undefined, `a key of ${LIBRARY} for ${roomId}`, "none");
    await call.untilUsed(sent, "the key that it has sent");
  },
);
