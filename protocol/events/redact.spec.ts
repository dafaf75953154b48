import { expect, test } from "vitest";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import type { JsonObject } from "./event.ts";
import { redact } from "./redact.ts";

const VERSIONS = [...ROOM_VERSIONS.values()];
const ENVELOPE = {
  event_id: "$1:hs1",
  room_id: "!1:hs1",
  sender: "@alice:hs1",
  state_key: "",
  hashes: { sha256: "" },
  signatures: {},
  depth: 1,
  prev_events: [],
  auth_events: [],
  origin_server_ts: 1,
};

/** What is left of a content that has these keys, by version. */
function kept(type: string, content: JsonObject): Record<string, JsonObject> {
  return Object.fromEntries(
    VERSIONS.map((version) => [
      version.id,
      redact({ ...ENVELOPE, type, content }, version).content as JsonObject,
    ]),
  );
}

/** The same content for a range of versions. */
function from(first: number, last: number, content: JsonObject): Record<string, JsonObject> {
  const ids = Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);
  return Object.fromEntries(ids.map((id) => [id, content]));
}

test("keeps the keys of the envelope; three of them only below version 11", () => {
  const old = { prev_state: [], origin: "hs1", membership: "join" };
  const pdu = {
    ...ENVELOPE,
    type: "a",
    content: { body: "b" },
    unsigned: {},
    redacts: "$2",
    age_ts: 1,
  };
  for (const version of VERSIONS) {
    expect(redact({ ...pdu, ...old }, version)).toEqual({
      ...ENVELOPE,
      type: "a",
      content: {},
      ...(Number(version.id) < 11 ? old : {}),
    });
  }
});

test("of members keeps what a join needs", () => {
  const content = {
    membership: "join",
    join_authorised_via_users_server: "@bob:hs1",
    third_party_invite: { signed: { token: "t" }, display_name: "d" },
    displayname: "Alice",
  };
  const membership = { membership: "join" };
  const voucher = { join_authorised_via_users_server: "@bob:hs1" };
  expect(kept("m.room.member", content)).toEqual({
    ...from(1, 8, membership),
    ...from(9, 10, { ...membership, ...voucher }),
    ...from(11, 12, {
      ...membership,
      ...voucher,
      third_party_invite: { signed: { token: "t" } },
    }),
  });
});

test("of a third-party invite keeps only an object", () => {
  expect(kept("m.room.member", { third_party_invite: {} })["11"]).toEqual({
    third_party_invite: {},
  });
  expect(kept("m.room.member", { third_party_invite: ["signed"] })["11"]).toEqual({});
});

test("of the create event keeps the creator, and from version 11 on all", () => {
  const content = { creator: "@alice:hs1", "m.federate": false, constructor: 1 };
  expect(kept("m.room.create", content)).toEqual({
    ...from(1, 10, { creator: "@alice:hs1" }),
    ...from(11, 12, content),
  });
});

test("of join rules keeps the rule, and from version 8 on what it allows", () => {
  const content = { join_rule: "restricted", allow: [], other: 1 };
  expect(kept("m.room.join_rules", content)).toEqual({
    ...from(1, 7, { join_rule: "restricted" }),
    ...from(8, 12, { join_rule: "restricted", allow: [] }),
  });
});

test("of power levels keeps all but notifications, and below version 11 but invite", () => {
  const levels = {
    ban: 1,
    events: {},
    events_default: 2,
    kick: 3,
    redact: 4,
    state_default: 5,
    users: {},
    users_default: 6,
  };
  expect(kept("m.room.power_levels", { ...levels, invite: 7, notifications: {} })).toEqual({
    ...from(1, 10, levels),
    ...from(11, 12, { ...levels, invite: 7 }),
  });
});

test("of aliases keeps them below version 6", () => {
  expect(kept("m.room.aliases", { aliases: [], other: 1 })).toEqual({
    ...from(1, 5, { aliases: [] }),
    ...from(6, 12, {}),
  });
});

test("of redactions keeps what they redact from version 11 on", () => {
  expect(kept("m.room.redaction", { redacts: "$2", reason: "r" })).toEqual({
    ...from(1, 10, {}),
    ...from(11, 12, { redacts: "$2" }),
  });
});

test("of history visibility keeps it, of all other types nothing", () => {
  expect(kept("m.room.history_visibility", { history_visibility: "joined", other: 1 })).toEqual(
    from(1, 12, { history_visibility: "joined" }),
  );
  for (const type of ["m.room.message", "m.room.topic", "constructor", "__proto__", ""]) {
    expect(kept(type, { membership: "join", creator: "c", topic: "t" })).toEqual(from(1, 12, {}));
  }
});

test("does not change what is redacted already", () => {
  for (const version of VERSIONS) {
    const once = redact(
      { ...ENVELOPE, type: "m.room.member", content: { membership: "ban" } },
      version,
    );
    expect(redact(once, version)).toEqual(once);
  }
});

test("takes what is no event without complaint", () => {
  for (const version of VERSIONS) {
    expect(redact({}, version)).toEqual({ content: {} });
    expect(redact({ type: ["m.room.create"], content: [1] }, version)).toEqual({
      type: ["m.room.create"],
      content: {},
    });
  }
});
