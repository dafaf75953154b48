/** Olm sessions, in steps 4 and 8, on records written by hand. */
import { expect, test } from "vitest";
import { digest } from "#harness/clients/crypto/parcel";
import {
  ALICE,
  BOB,
  came,
  keyNamed,
  PARCEL,
  preKeyMessage,
  type Row,
  ready,
  SENT,
  type Story,
  verdictOf,
} from "../hand-written.ts";

const C = "/_matrix/client/v3";
const KEY = keyNamed("k");
const PRE = preKeyMessage(KEY);
const claimed = (story: Story, at: number, who: { device: string }, given: object = {}) =>
  story.exchange(at, "POST", `${C}/keys/claim`, {
    client: who.device,
    request: { one_time_keys: { [BOB.user]: { BOB: "signed_curve25519" } } },
    response: { one_time_keys: { [BOB.user]: { BOB: { "signed_curve25519:k": { key: KEY } } } } },
    ...given,
  });
const CAROL = { user: "@carol:hs1", device: "CAROL" };
const noOlm = (story: Story) =>
  story
    .put(41, ALICE, { type: "m.room_key.withheld", content: { code: "m.no_olm" } })
    .send(SENT)
    .read(70);
const preKeyCame = (story: Story) =>
  story
    .shares(40, [{ ...BOB, parcel: PRE.parcel }])
    .put(41, ALICE, { content: PRE.content })
    .send(SENT)
    .sync(60, BOB, {
      to_device: {
        events: [{ type: "m.room.encrypted", sender: ALICE.user, content: PRE.content }],
      },
    });
const withKeys = () => ready().upload(12, BOB, { keys: [KEY], signed: true });

const ROWS: readonly Row[] = [
  [
    "the claim failed",
    "withheld.no-olm",
    4,
    () => noOlm(claimed(withKeys(), 39, ALICE, { status: 503 })),
  ],
  [
    "the claim's answer was emptied",
    "withheld.no-olm",
    4,
    () =>
      noOlm(
        claimed(withKeys(), 39, ALICE, {
          rules: ["strip"],
          response: {},
          said: { one_time_keys: { [BOB.user]: { BOB: { "signed_curve25519:k": { key: KEY } } } } },
        }),
      ),
  ],
  [
    "the server kept its keys",
    "withheld.no-olm",
    4,
    () => noOlm(claimed(withKeys(), 39, ALICE, { response: {} })),
  ],
  [
    "no keys were left",
    "olm.no-otk",
    4,
    () => noOlm(claimed(claimed(withKeys(), 30, CAROL), 39, ALICE, { response: {} })),
  ],
  [
    "the fallback key was not handed out",
    "olm.fallback-dropped",
    4,
    () =>
      noOlm(
        claimed(
          claimed(ready().upload(12, BOB, { keys: [KEY], fallback: keyNamed("f") }), 30, CAROL),
          39,
          ALICE,
          { response: {} },
        ),
      ),
  ],
  [
    "the claimed key was another one",
    "tampering",
    4,
    () =>
      noOlm(
        claimed(withKeys(), 39, ALICE, {
          rules: ["swap"],
          said: {
            one_time_keys: {
              [BOB.user]: { BOB: { "signed_curve25519:x": { key: keyNamed("x") } } },
            },
          },
        }),
      ),
  ],
  [
    "handed out twice",
    "olm.otk-reused",
    4,
    () =>
      preKeyCame(claimed(claimed(withKeys(), 30, CAROL), 39, ALICE))
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "never published",
    "olm.otk-desync",
    4,
    () =>
      preKeyCame(claimed(ready(), 39, ALICE))
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "of a store that is gone",
    "olm.otk-desync",
    4,
    () =>
      preKeyCame(claimed(withKeys().tell(30, BOB, "start", { store: "new" }), 39, ALICE))
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "the fallback key was replaced twice",
    "olm.fallback-dropped",
    8,
    () =>
      preKeyCame(
        claimed(
          ready()
            .upload(12, BOB, { fallback: KEY })
            .upload(42, BOB, { fallback: keyNamed("g") })
            .upload(43, BOB, { fallback: keyNamed("h") }),
          39,
          ALICE,
        ),
      )
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "a bad message for the same key came first",
    "olm.otk-deleted-early",
    8,
    () => {
      const bad = preKeyMessage(KEY, "bad");
      return preKeyCame(
        claimed(withKeys(), 39, ALICE)
          .sync(55, BOB, {
            to_device: {
              events: [{ type: "m.room.encrypted", sender: ALICE.user, content: bad.content }],
            },
          })
          .took(56, "failed", BOB, bad.parcel),
      )
        .took(62, "failed", BOB, PRE.parcel)
        .read(70);
    },
  ],
  [
    "another message had used the key",
    "olm.replay",
    8,
    () => {
      const other = preKeyMessage(KEY, "other");
      return preKeyCame(
        claimed(withKeys(), 39, ALICE)
          .sync(55, BOB, {
            to_device: {
              events: [{ type: "m.room.encrypted", sender: ALICE.user, content: other.content }],
            },
          })
          .took(56, "decrypted", BOB, other.parcel),
      )
        .took(62, "failed", BOB, PRE.parcel)
        .read(70);
    },
  ],
  [
    "an old key",
    "olm.otk-dropped",
    8,
    () =>
      preKeyCame(
        claimed(
          withKeys().upload(13, BOB, {
            keys: Array.from({ length: 100 }, (_, n) => keyNamed(`n${n}`)),
          }),
          39,
          ALICE,
        ),
      )
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "no reason that the records tell",
    "unexplained",
    8,
    () =>
      preKeyCame(claimed(withKeys(), 39, ALICE))
        .took(62, "failed", BOB, PRE.parcel)
        .read(70),
  ],
  [
    "the session was broken before",
    "olm.wedged",
    8,
    () => came().took(20, "failed", BOB, digest("earlier")).took(62, "failed").read(70),
  ],
  [
    "the first that a new device gets",
    "unexplained",
    8,
    () => came().tell(1, BOB, "start", { store: "new" }).took(62, "failed").read(70),
  ],
  [
    "one of several at once",
    "olm.order",
    8,
    () => {
      const one = { sender: ALICE.user, isPreKey: false };
      const parcels = [
        { ...one, id: PARCEL, outcome: "failed" },
        { ...one, id: digest("another"), outcome: "decrypted" },
      ];
      return came()
        .tell(62, BOB, "took", { next: digest("x"), parcels })
        .read(70);
    },
  ],
  [
    "the store was set back",
    "olm.wedged",
    8,
    () =>
      came()
        .took(20, "decrypted", BOB, digest("earlier"))
        .tell(55, BOB, "start", { store: "restored" })
        .took(62, "failed")
        .read(70),
  ],
];

test.each(ROWS)("%s: %s at step %i", async (_wrong, root, step, story) => {
  expect(await verdictOf(story())).toEqual({ root, step });
});
