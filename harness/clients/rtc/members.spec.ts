import { expect, test } from "vitest";
import type { JsonObject } from "#harness/match/json";
import { membersOf, openFor, type RoomFacts } from "./members.ts";
import type { StickyValue } from "./sticky-map.ts";

const SLOT = "m.call#room";
const OPEN = { status: "open", application: { type: "m.call" } };
const EVERYBODY: RoomFacts = { slot: OPEN, isEncrypted: false, isJoined: () => true };

function value(content: JsonObject = {}, more: Partial<StickyValue["event"]> = {}): StickyValue {
  const event = {
    event_id: "$1",
    type: "org.matrix.msc4143.rtc.member",
    sender: "@alice:hs1",
    origin_server_ts: 0,
    content: {
      slot_id: SLOT,
      member: { id: "id", membership: "join" },
      application: { type: "m.call" },
      ...content,
    },
    ...more,
  };
  return { event, stickyKey: "id", expiresAt: 1, isRedacted: false };
}

test("counts a member for whom all conditions hold, by the event's sender", () => {
  const forged = value({ member: { id: "id", membership: "join", user_id: "@victim:hs1" } });
  expect(membersOf(SLOT, [forged], EVERYBODY)).toEqual([
    { userId: "@alice:hs1", memberId: "id", transports: undefined },
  ]);
});

test.each([
  ["has left", value({ member: { id: "id", membership: "leave" } }), EVERYBODY],
  ["is of another slot", value({ slot_id: "m.call#other" }), EVERYBODY],
  ["has another application", value({ application: { type: "m.game" } }), EVERYBODY],
  [
    "has an id that is not its sticky key",
    value({ member: { id: "x", membership: "join" } }),
    EVERYBODY,
  ],
  ["is no member event", value({}, { type: "m.room.message" }), EVERYBODY],
  ["is not in the room", value(), { ...EVERYBODY, isJoined: () => false }],
  ["is in a closed slot", value(), { ...EVERYBODY, slot: { ...OPEN, status: "closed" } }],
  ["is in no slot", value(), { ...EVERYBODY, slot: undefined }],
])("counts nobody who %s", (_, given, room) => {
  expect(membersOf(SLOT, [given], room)).toEqual([]);
});

test.each([
  ["without a status", { application: OPEN.application }, false],
  ["without an application", { status: "open" }, false],
  ["of another application", { status: "open", application: { type: "m.game" } }, false],
  ["without encryption in an encrypted room", OPEN, true],
])("takes a slot %s for closed", (_, slot, isEncrypted) => {
  expect(openFor(SLOT, { ...EVERYBODY, slot, isEncrypted })).toBeUndefined();
});

test("takes a slot with encryption in an encrypted room for open", () => {
  const slot = { ...OPEN, encryption: { type: "m.per_member" } };
  expect(openFor(SLOT, { ...EVERYBODY, slot, isEncrypted: true })).toBe("m.call");
});
