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
