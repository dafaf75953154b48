/** Steps 1 to 3 on records written by hand: the same story, with one thing gone wrong. */
import { expect, test } from "vitest";
import {
  ALICE,
  BOB,
  BOB2,
  queried,
  ROOM,
  type Row,
  ready,
  SENT,
  Story,
  verdictOf,
} from "../hand-written.ts";

const C = "/_matrix/client/v3";
const JOIN_PDU = {
  type: "m.room.member",
  sender: BOB2.user,
  state_key: BOB2.user,
  room_id: ROOM,
  content: { membership: "join" },
};

const ROWS: readonly Row[] = [
  [
    "left before",
    "expected.not-member",
    1,
    () =>
      ready()
        .exchange(20, "POST", `${C}/rooms/${ROOM}/leave`, { client: BOB.device })
        .send(SENT)
        .read(70),
  ],
  [
    "joined after",
    "expected.not-member",
    1,
    () => new Story().upload(1, ALICE).upload(2, BOB).send(SENT).join(55, BOB).read(70),
  ],
  [
    "banned",
    "expected.not-member",
    1,
    () =>
      ready()
        .exchange(20, "POST", `${C}/rooms/${ROOM}/ban`, {
          client: ALICE.device,
          request: { user_id: BOB.user },
        })
        .send(SENT)
        .read(70),
  ],
  [
    "a device of later",
    "expected.device-historical",
    1,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(3, ALICE)
        .exchange(4, "POST", `${C}/rooms/${ROOM}/invite`, {
          client: ALICE.device,
          request: { user_id: BOB.user },
        })
        .send(SENT)
        .upload(55, BOB)
        .read(70),
  ],
  [
    "a backup without it",
    "backup.incomplete",
    1,
    () =>
      new Story()
        .upload(1, ALICE)
        .exchange(4, "POST", `${C}/rooms/${ROOM}/invite`, {
          client: ALICE.device,
          request: { user_id: BOB.user },
        })
        .send(SENT)
        .upload(55, BOB)
        .exchange(56, "GET", `${C}/room_keys/keys?version=1`, {
          client: BOB.device,
          response: { rooms: { [ROOM]: { sessions: { other: {} } } } },
        })
        .read(70),
  ],
  [
    "the sender's server had not heard of the join",
    "missing-key.sender-stale-membership",
    1,
    () =>
      ready(BOB2)
        .shares(40, [], [ALICE.user])
        .send(SENT)
        .exchange(65, "PUT", "/_matrix/federation/v1/send/j", {
          from: "hs2",
          to: "hs1",
          origin: "hs2",
          request: { pdus: [JOIN_PDU] },
        })
        .read(70, undefined, BOB2),
  ],
  [
    "the sender's client did not look again",
    "missing-key.sender-stale-membership",
    1,
    () => ready().shares(40, [], [ALICE.user]).send(SENT).read(70),
  ],
  [
    "joined between the look and the event",
    "missing-key.membership-race",
    1,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .exchange(38, "GET", `${C}/rooms/${ROOM}/members`, {
          client: ALICE.device,
          response: { chunk: [] },
        })
        .join(39, BOB)
        .shares(40, [], [])
        .send(SENT)
        .read(70),
  ],
  [
    "no query was answered",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [], { status: 503 })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "the answer lost the device",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [], { said: queried([BOB]), rules: ["strip"] })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "the server's answer lacked it",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [])
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "the news of it was lost",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(4, BOB)
        .query(10, ALICE, [])
        .upload(20, BOB)
        .sync(30, ALICE, {}, { said: { device_lists: { changed: [BOB.user] } }, rules: ["strip"] })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "the server told no news",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(4, BOB)
        .query(10, ALICE, [])
        .upload(20, BOB)
        .sync(30, ALICE, {}, { since: "s25" })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "told, and the query failed",
    "devicelist.stale",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(4, BOB)
        .query(10, ALICE, [])
        .upload(20, BOB)
        .sync(30, ALICE, { device_lists: { changed: [BOB.user] } })
        .query(31, ALICE, [], { status: 503 })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "no chance to hear of it",
    "devicelist.race",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(4, BOB)
        .query(10, ALICE, [])
        .upload(20, BOB)
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "the device came after the sharing",
    "devicelist.race",
    2,
    () =>
      new Story()
        .upload(1, ALICE)
        .join(4, BOB)
        .query(10, ALICE, [])
        .shares(40, [])
        .upload(45, BOB)
        .send(SENT)
        .read(70),
  ],
  [
    "not signed",
    "withheld.unverified",
    3,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [BOB])
        .withholds(41, "m.unverified")
        .send(SENT)
        .read(70, { code: "MissingRoomKey", withheld: "m.unverified" }),
  ],
  [
    "signed, and the answer lost it",
    "devicelist.stale",
    3,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB, { signed: true })
        .join(4, BOB)
        .query(10, ALICE, [BOB], { said: queried([{ ...BOB, signed: true }]), rules: ["strip"] })
        .withholds(41, "m.unverified")
        .send(SENT)
        .read(70, { withheld: "m.unverified" }),
  ],
  [
    "signed since the last look",
    "devicelist.race",
    3,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [BOB])
        .upload(20, BOB, { signed: true })
        .query(21, BOB, [{ ...BOB, signed: true }])
        .withholds(41, "m.unverified")
        .send(SENT)
        .read(70, { withheld: "m.unverified" }),
  ],
  [
    "blacklisted",
    "withheld.blacklisted",
    3,
    () => ready().withholds(41, "m.blacklisted").send(SENT).read(70),
  ],
];

test.each(ROWS)("%s: %s at step %i", async (_wrong, root, step, story) => {
  expect(await verdictOf(story())).toEqual({ root, step });
});

test.each([
  ["an initial sync", undefined, "which tells of no change"],
  ["a later one", "s25", "the server did not tell the sender of the change"],
])("no server is blamed for what only a later sync can tell: %s", async (_which, since, says) => {
  const story = new Story()
    .upload(1, ALICE)
    .join(4, BOB)
    .query(10, ALICE, [])
    .upload(20, BOB)
    .sync(30, ALICE, {}, since === undefined ? {} : { since })
    .shares(40, [])
    .send(SENT)
    .read(70);

  const { steps } = await story.explain();
  expect(steps.at(-1)?.says).toContain(says);
});

/** Bob's device is signed after Alice's client has looked at it, and she withholds the key. */
function signedLater(meanwhile: (story: Story) => Story): Story {
  const story = new Story()
    .upload(1, ALICE)
    .upload(2, BOB)
    .join(4, BOB)
    .query(10, ALICE, [BOB])
    .sync(15, ALICE, { device_lists: { changed: [BOB.user] } }, { since: "s12" })
    .upload(20, BOB, { signed: true })
    .query(21, BOB, [{ ...BOB, signed: true }]);
  return meanwhile(story).withholds(41, "m.unverified").send(SENT).read(70);
}

test.each([
  ["she has not synced since", "devicelist.race", /no sync in between/, (story) => story],
  [
    "her sync says nothing of it",
    "devicelist.stale",
    /did not tell of the change/,
    (story) => story.sync(30, ALICE, {}, { since: "s15" }),
  ],
  [
    "she is told, and does not ask",
    "devicelist.stale",
    /told but not asked for/,
    (story) => story.sync(30, ALICE, { device_lists: { changed: [BOB.user] } }, { since: "s15" }),
  ],
  [
    "she asks in vain",
    "devicelist.stale",
    /got no answer in time/,
    (story) => story.query(30, ALICE, [], { status: 503 }),
  ],
  [
    "she asks, and is answered without it",
    "devicelist.stale",
    /answered without it/,
    (story) => story.query(30, ALICE, [BOB]),
  ],
] as const satisfies readonly [string, string, RegExp, (story: Story) => Story][])(
  "a signature that she does not see: %s",
  async (_which, root, says, meanwhile) => {
    const { steps, ...utd } = await signedLater(meanwhile).explain();

    expect(utd).toMatchObject({ root, failedStep: 3 });
    expect(steps.at(-1)?.says).toMatch(says);
  },
);

test("where no signature was sent, none is told to be lost", async () => {
  const story = new Story()
    .upload(1, ALICE)
    .upload(2, BOB)
    .join(4, BOB)
    .query(10, ALICE, [BOB])
    .withholds(41, "m.unverified")
    .send(SENT)
    .read(70);

  const { steps } = await story.explain();

  expect(steps.at(-1)?.says).toMatch(/m\.unverified, and it was not signed$/);
});

test("a signature that did not get through is told with the key that was withheld", async () => {
  const signed = { signatures: { [BOB.user]: { "ed25519:ssk": "s" } } };
  const keys = { user_id: BOB.user, device_id: BOB.device, ...signed };
  const story = new Story()
    .upload(1, ALICE)
    .upload(2, BOB)
    .join(4, BOB)
    .query(10, ALICE, [BOB])
    .exchange(20, "POST", `${C}/keys/signatures/upload`, {
      client: BOB.device,
      request: { [BOB.user]: { [BOB.device]: keys } },
      status: 0,
      rules: ["cut"],
    })
    .withholds(41, "m.unverified")
    .send(SENT)
    .read(70);

  const { root, steps } = await story.explain();

  expect(root).toBe("withheld.unverified");
  expect(steps.at(-1)?.says).toContain("a signature was sent at 00:00:20.000 and not stored");
});

/** A device that comes on another server after the sender has asked there. */
function remoteLater(meanwhile: (story: Story) => Story): Story {
  const story = new Story()
    .upload(1, ALICE)
    .exchange(4, "POST", `${C}/rooms/${ROOM}/invite`, {
      client: ALICE.device,
      request: { user_id: BOB2.user },
    })
    .query(10, ALICE, [])
    .upload(20, BOB2, { to: "hs2" });
  return meanwhile(story).shares(40, []).send(SENT).read(70, undefined, BOB2);
}

/** Tells of the device, or else of nothing. */
function transaction(story: Story, at: number, given: object, isOfIt = true): Story {
  const content = { user_id: BOB2.user, device_id: BOB2.device, stream_id: 1 };
  return story.exchange(at, "PUT", `/_matrix/federation/v1/send/${at}`, {
    from: "hs2",
    to: "hs1",
    origin: "hs2",
    request: { edus: isOfIt ? [{ edu_type: "m.device_list_update", content }] : [] },
    ...given,
  });
}

const heard = (story: Story) => story.sync(30, ALICE, {}, { since: "s25" });

test.each([
  [
    "it was stopped",
    "devicelist.stale",
    /stopped between the servers/,
    (story) => heard(transaction(story, 22, { status: 0, rules: ["cut"] })),
  ],
  [
    "it came too late",
    "devicelist.race",
    /came to the sender's server at 00:00:45.010, after it was needed/,
    (story) => transaction(heard(story), 45, {}),
  ],
  [
    "nobody sent it",
    "devicelist.stale",
    /never went to the sender's server/,
    (story) => heard(transaction(story, 22, {}, false)),
  ],
  [
    "the records show nothing between servers, and a sync that says nothing",
    "devicelist.stale",
    /did not tell the sender of the change/,
    heard,
  ],
  [
    "the records show nothing between servers, and no sync",
    "devicelist.race",
    /has not synced between/,
    (story) => story,
  ],
] as const satisfies readonly [string, string, RegExp, (story: Story) => Story][])(
  "news of a device on another server: %s",
  async (_which, root, says, meanwhile) => {
    const { steps, ...utd } = await remoteLater(meanwhile).explain();

    expect(utd).toMatchObject({ root, failedStep: 2 });
    expect(steps.at(-1)?.says).toMatch(says);
  },
);
