/** Bundles of old keys on records written by hand: the same invitation, with one thing gone wrong. */
import { expect, test } from "vitest";
import type { Told } from "#harness/clients/crypto/client-log";
import {
  ALICE,
  BOB,
  INBOX,
  PARCEL,
  queried,
  ROOM,
  SENT,
  Story,
  verdictOf,
} from "../hand-written.ts";
import type { Root } from "../roots.ts";

const MADE = 52;
const FOR_BOB = { room: ROOM, to: BOB.user, isEmpty: false };
const TARGET = { ...BOB, parcel: PARCEL };

/** Sent before Bob came; he is known to Alice, who has made a bundle for him. */
function bundled(targets: readonly object[] = [TARGET], knownAs = [BOB]): Story {
  const requests = [{ txn: "b", type: "m.room.encrypted", targets }];
  return before(knownAs).tell(MADE, ALICE, "bundles", { ...FOR_BOB, requests });
}

function before(knownAs = [BOB]): Story {
  return new Story()
    .upload(1, ALICE, { signed: true })
    .upload(2, BOB)
    .join(3, ALICE)
    .send(SENT)
    .exchange(51, "POST", "/_matrix/client/v3/keys/query", {
      client: ALICE.device,
      request: { device_keys: { [BOB.user]: [] } },
      response: queried(knownAs),
    });
}

const joined = (story: Story) => story.join(55, BOB);
const sent = () => bundled().put(53, ALICE);
const came = () => joined(sent()).sync(60, BOB, INBOX);
const unbundled = (outcome: Told<"unbundled">["outcome"]) =>
  came()
    .took(60, "decrypted")
    .tell(61, BOB, "unbundled", { room: ROOM, from: ALICE.user, outcome });

const ROWS: readonly (readonly [string, Root, () => Story])[] = [
  ["nobody has made one", "expected.not-member", () => joined(before())],
  [
    "one of another room",
    "expected.not-member",
    () =>
      joined(
        before().tell(MADE, ALICE, "bundles", { ...FOR_BOB, room: "!other:hs1", requests: [] }),
      ),
  ],
  [
    "no key may be shared",
    "history.flag",
    () =>
      joined(before().tell(MADE, ALICE, "bundles", { ...FOR_BOB, isEmpty: true, requests: [] })),
  ],
  ["made without a device that is known", "history.withheld", () => joined(bundled([]))],
  ["made without a device that is not known", "history.not-sent", () => joined(bundled([], []))],
  ["made, and never sent", "history.not-sent", () => joined(bundled())],
  [
    "sent, and not taken by the server",
    "history.not-sent",
    () => joined(bundled().put(53, ALICE, { status: 0, rules: ["drop"] })),
  ],
  ["sent, and it did not come", "history.bundle-lost", () => joined(sent()).sync(60, BOB, {})],
  [
    "it came to nobody but another",
    "history.bundle-lost",
    () => joined(sent()).sync(60, ALICE, INBOX),
  ],
  ["it came, and could not be decrypted", "history.bundle-lost", () => came().took(60, "failed")],
  [
    "it came from somebody who was not known to be signed",
    "history.refused",
    () =>
      came().tell(60, BOB, "took", {
        next: PARCEL,
        parcels: [
          {
            id: PARCEL,
            sender: ALICE.user,
            isPreKey: true,
            outcome: "failed",
            reason: "UnverifiedSenderDevice",
          },
        ],
      }),
  ],
  ["its media were gone", "history.bundle-lost", () => unbundled("not-downloaded")],
  ["it was dropped", "history.refused", () => unbundled("unknown")],
  ["it was not imported", "history.refused", () => unbundled("refused")],
  ["it was never taken in", "history.not-accepted", () => came().took(60, "decrypted")],
  ["it has not got the session", "history.flag", () => unbundled("imported")],
];

test.each(ROWS)("%s: %s", async (_wrong, root, story) => {
  expect(await verdictOf(story().read(70))).toEqual({ root, step: 1 });
});
