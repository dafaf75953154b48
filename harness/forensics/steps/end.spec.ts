/** Steps 9 and 10 on records written by hand. */
import { expect, test } from "vitest";
import {
  ALICE,
  BOB,
  came,
  EVENT,
  queried,
  ROOM,
  type Row,
  SENT,
  SESSION,
  Story,
  verdictOf,
} from "../hand-written.ts";
import type { Root } from "../roots.ts";

const taken = () => came().took(62, "decrypted");

/** What the library refuses though it has the session: the root, at step 10. */
const refused = (wrong: string, root: Root, code: string): Row => [
  wrong,
  root,
  10,
  () => taken().read(70, { code }),
];

const ROWS: readonly Row[] = [
  ["a later index", "unknown-index", 9, () => taken().read(70, { code: "UnknownMessageIndex" })],
  [
    "two events in one place",
    "megolm.index-reuse",
    9,
    () =>
      taken()
        .send(51, {
          id: "$twin",
          request: {
            session_id: SESSION,
            ciphertext: Buffer.from([3, 8, 1, 99]).toString("base64"),
          },
        })
        .read(70, { code: "UnknownMessageIndex" }),
  ],
  [
    "changed on its way to the device",
    "tampering",
    9,
    () =>
      taken()
        .sync(65, BOB, {
          rooms: {
            join: {
              [ROOM]: {
                timeline: {
                  events: [
                    {
                      type: "m.room.encrypted",
                      event_id: EVENT,
                      sender: ALICE.user,
                      content: { session_id: SESSION, ciphertext: "AAAA" },
                    },
                  ],
                },
              },
            },
          },
        })
        .read(70, { code: "UnableToDecrypt" }),
  ],
  refused("an unknown sender", "trust.unknown-device", "UnknownSenderDevice"),
  refused(
    "a changed identity",
    "trust.verification-violation",
    "SenderIdentityVerificationViolation",
  ),
  refused("another sender", "trust.mismatched-sender", "MismatchedSender"),
  refused("other keys", "trust.identity-mismatch", "MismatchedIdentityKeys"),
  [
    "an unsigned sender",
    "trust.unsigned-device",
    10,
    () =>
      new Story()
        .upload(1, ALICE)
        .upload(2, BOB)
        .join(4, BOB)
        .query(11, BOB, [ALICE])
        .send(SENT)
        .read(70, { code: "UnsignedSenderDevice" }),
  ],
  [
    "the query for the sender's signature failed",
    "devicelist.stale",
    10,
    () =>
      new Story()
        .upload(1, ALICE, { signed: true })
        .upload(2, BOB)
        .join(4, BOB)
        .query(10, ALICE, [{ ...ALICE, signed: true }])
        .query(11, BOB, [], { status: 503 })
        .send(SENT)
        .read(70, { code: "UnsignedSenderDevice" }),
  ],
  [
    "a signature that the answer lost",
    "devicelist.stale",
    10,
    () =>
      new Story()
        .upload(1, ALICE, { signed: true })
        .upload(2, BOB)
        .join(4, BOB)
        .query(11, BOB, [ALICE], { said: queried([{ ...ALICE, signed: true }]), rules: ["strip"] })
        .send(SENT)
        .read(70, { code: "UnsignedSenderDevice" }),
  ],
];

test.each(ROWS)("%s: %s at step %i", async (_wrong, root, step, story) => {
  expect(await verdictOf(story())).toEqual({ root, step });
});
