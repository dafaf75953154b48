/** Steps 5 to 7 on records written by hand: where a message can get lost. */
import { expect, test } from "vitest";
import { digest } from "#harness/clients/crypto/parcel";
import {
  ALICE,
  BOB,
  BOB2,
  came,
  INBOX,
  PARCEL,
  ROOM,
  type Row,
  ready,
  SENT,
  type Story,
  shared,
  verdictOf,
} from "../hand-written.ts";

const JOIN_PDU = {
  type: "m.room.member",
  sender: BOB2.user,
  state_key: BOB2.user,
  room_id: ROOM,
  content: { membership: "join" },
};

const EDU = (id = "parcel") => ({
  edus: [
    {
      edu_type: "m.direct_to_device",
      content: {
        sender: ALICE.user,
        type: "m.room.encrypted",
        message_id: "m",
        messages: { [BOB2.user]: { BOB: { ciphertext: { c: { type: 1, body: id } } } } },
      },
    },
  ],
});
const toHs2 = (story: Story, at: number, given: object = {}) =>
  story.exchange(at, "PUT", `/_matrix/federation/v1/send/${at}`, {
    from: "hs1",
    to: "hs2",
    origin: "hs1",
    request: EDU(),
    ...given,
  });
const remote = () =>
  ready(BOB2)
    .exchange(5, "PUT", "/_matrix/federation/v1/send/j", {
      from: "hs2",
      to: "hs1",
      origin: "hs2",
      request: { pdus: [JOIN_PDU] },
    })
    .shares(40, [{ ...BOB2, parcel: PARCEL }])
    .put(41, ALICE, { for: BOB2 })
    .send(SENT);

/** Something else that the first server had for another one did not get through. */
const stopped = (to: string) =>
  toHs2(remote(), 55, { to, request: EDU("another"), status: 0, rules: ["cut"] });

const ROWS: readonly Row[] = [
  ["left out", "missing-key.not-sent", 5, () => ready().shares(40, []).send(SENT).read(70)],
  [
    "left out of a new session",
    "missing-key.rotation",
    5,
    () =>
      ready()
        .tell(20, ALICE, "shares", {
          room: ROOM,
          session: "old",
          users: [BOB.user],
          requests: [
            { txn: "o", type: "m.room.encrypted", targets: [{ ...BOB, parcel: digest("old") }] },
          ],
        })
        .shares(40, [])
        .send(SENT)
        .read(70),
  ],
  [
    "made, not sent",
    "todevice.not-sent",
    5,
    () => ready().shares(40).tell(41, ALICE, "stop", { how: "kill" }).send(SENT).read(70),
  ],
  [
    "the requests failed",
    "todevice.lost-upstream",
    5,
    () =>
      ready()
        .shares(40)
        .put(41, ALICE, { status: 502, rules: ["down"] })
        .send(SENT)
        .read(70),
  ],
  [
    "answered in the server's place",
    "todevice.lost-upstream",
    5,
    () =>
      ready()
        .shares(40)
        .put(41, ALICE, { rules: ["answer"] })
        .send(SENT)
        .read(70),
  ],
  [
    "taken out on its way up",
    "todevice.lost-upstream",
    5,
    () =>
      ready()
        .shares(40)
        .put(41, ALICE, { rules: ["strip"], got: { messages: {} } })
        .send(SENT)
        .read(70),
  ],
  [
    "changed on its way up",
    "tampering",
    5,
    () =>
      ready()
        .shares(40)
        .put(41, ALICE, {
          rules: ["flip"],
          got: {
            messages: {
              [BOB.user]: { BOB: { ciphertext: { bobcurve: { type: 1, body: "other" } } } },
            },
          },
        })
        .send(SENT)
        .read(70),
  ],
  [
    "no transaction got through",
    "todevice.lost-federation",
    6,
    () => toHs2(remote(), 55, { status: 0 }).read(70, undefined, BOB2),
  ],
  [
    "answered in the other server's place",
    "todevice.lost-federation",
    6,
    () => toHs2(remote(), 55, { rules: ["answer"] }).read(70, undefined, BOB2),
  ],
  [
    "the first server kept it",
    "todevice.lost-server",
    6,
    () => toHs2(remote(), 55, { request: EDU("another") }).read(70, undefined, BOB2),
  ],
  [
    "the link between the servers was stopped",
    "todevice.lost-federation",
    6,
    () => stopped("hs2").read(70, undefined, BOB2),
  ],
  [
    "the link to a third server was stopped",
    "todevice.lost-server",
    6,
    () => stopped("hs3").read(70, undefined, BOB2),
  ],
  [
    "the second server kept it",
    "todevice.lost-server",
    7,
    () => toHs2(remote(), 55).sync(60, BOB2, {}, { to: "hs2" }).read(70, undefined, BOB2),
  ],
  ["the server kept it", "todevice.lost-server", 7, () => shared().sync(60, BOB, {}).read(70)],
  [
    "taken out of the answer",
    "todevice.lost-downstream",
    7,
    () =>
      shared()
        .sync(60, BOB, {}, { said: INBOX, rules: ["strip"] })
        .sync(61, BOB, {}, { since: "s60" })
        .read(70),
  ],
  [
    "changed in the answer",
    "tampering",
    7,
    () =>
      shared()
        .sync(
          60,
          BOB,
          {
            to_device: {
              events: [
                {
                  type: "m.room.encrypted",
                  sender: ALICE.user,
                  content: { ciphertext: { bobcurve: { type: 1, body: "flipped" } } },
                },
              ],
            },
          },
          { said: INBOX, rules: ["flip"] },
        )
        .read(70),
  ],
  [
    "a broken answer, and no other since",
    "todevice.late",
    7,
    () =>
      shared()
        .sync(60, BOB, INBOX, { error: "reset", said: INBOX, rules: ["cut"] })
        .read(70),
  ],
  [
    "a broken answer, and the server thinks that it came",
    "todevice.lost-server",
    7,
    () =>
      shared()
        .sync(60, BOB, INBOX, { since: "s9", error: "reset", said: INBOX, rules: ["cut"] })
        .sync(61, BOB, {}, { since: "s9" })
        .read(70),
  ],
  ["not asked yet", "todevice.late", 7, () => shared().read(55)],
  ["it came after the look", "todevice.late", 7, () => shared().read(55).sync(60, BOB, INBOX)],
  [
    "another client of the same device",
    "todevice.stolen",
    7,
    () => shared().sync(60, { device: "OTHER" }, INBOX).sync(61, BOB, {}).read(70),
  ],
  [
    "another loop with the same token",
    "todevice.stolen",
    7,
    () =>
      came()
        .tell(62, BOB, "got", {
          exchange: "t#10",
          next: digest("y"),
          parcels: [],
          withheld: [],
          changed: [],
          left: [],
        })
        .read(70),
  ],
  ["acknowledged, not taken in", "todevice.acked-not-processed", 7, () => came().read(70)],
  [
    "taken in, and not on disk when it ended",
    "todevice.acked-not-processed",
    7,
    () => came().took(62, "decrypted").tell(63, BOB, "start", { store: "kept" }).read(70),
  ],
  [
    "taken in, and the store lost",
    "todevice.acked-not-processed",
    7,
    () => came().took(62, "decrypted").tell(63, BOB, "start", { store: "restored" }).read(70),
  ],
];

test.each(ROWS)("%s: %s at step %i", async (_wrong, root, step, story) => {
  expect(await verdictOf(story())).toEqual({ root, step });
});
