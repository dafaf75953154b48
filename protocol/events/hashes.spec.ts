import { expect, test } from "vitest";
import { ROOM_VERSIONS, roomVersion } from "#protocol/rooms/room-version";
import { EventFormatError } from "./event-format-error.ts";
import { contentHash, eventId, hasValidHash, referenceHash } from "./hashes.ts";
import { RECORDED_EVENTS } from "./recorded-rooms.ts";
import { redact } from "./redact.ts";

test("there are recorded events of each room version", () => {
  for (const version of ROOM_VERSIONS.values()) {
    const events = RECORDED_EVENTS.filter((event) => event.version === version);
    expect(events.length).toBeGreaterThan(20);
  }
});

test("finds the hashes that Synapse computed", () => {
  for (const { pdu } of RECORDED_EVENTS) {
    expect(pdu.hashes).toEqual({ sha256: contentHash(pdu) });
    expect(hasValidHash(pdu)).toBe(true);
  }
});

test("finds the ids that Synapse gave", () => {
  for (const { pdu, version, eventId: given } of RECORDED_EVENTS) {
    expect(eventId(pdu, version)).toBe(given);
  }
});

// Synapse leaves out the hashes of events that were not stored yet when it made the one that cites them.
test("finds the reference hashes with which versions 1 and 2 cite events", () => {
  const byId = new Map(RECORDED_EVENTS.map((event) => [event.eventId, event]));
  const cited = RECORDED_EVENTS.filter(({ version }) => version.eventIds === "given")
    .flatMap(({ pdu }) => [pdu.auth_events, pdu.prev_events].flat())
    .map((pair) => pair as unknown as readonly [string, { readonly sha256?: string }])
    .filter(([, { sha256 }]) => sha256 !== undefined);
  expect(cited.length).toBeGreaterThan(100);
  for (const [id, { sha256 }] of cited) {
    const event = byId.get(id);
    expect(event && referenceHash(event.pdu, event.version)).toBe(sha256);
  }
});

test("redaction changes the content hash, and never the id", () => {
  for (const { pdu, version, eventId: given } of RECORDED_EVENTS) {
    const redacted = redact(pdu, version);
    expect(eventId(redacted, version)).toBe(given);
    expect(hasValidHash(redacted)).toBe(contentHash(redacted) === contentHash(pdu));
  }
});

test("unsigned and signatures are in no hash", () => {
  for (const { pdu, version, eventId: given } of RECORDED_EVENTS) {
    const other = { ...pdu, unsigned: { age: 1 }, signatures: { "hs3:8448": {} } };
    expect(hasValidHash(other)).toBe(true);
    expect(eventId(other, version)).toBe(given);
  }
});

test("any other change shows in the content hash", () => {
  for (const { pdu } of RECORDED_EVENTS) {
    for (const change of [{ depth: 999 }, { extra: 1 }, { content: { a: 1 } }]) {
      expect(hasValidHash({ ...pdu, ...change })).toBe(false);
    }
  }
});

test.each([
  ["no hashes", undefined],
  ["hashes of a wrong type", "sha256"],
  ["another algorithm", { sha512: "" }],
  ["a number", { sha256: 1 }],
  ["no base64", { sha256: "?" }],
  ["an empty hash", { sha256: "" }],
])("%s is no valid hash", (_, hashes) => {
  expect(hasValidHash({ type: "a", ...(hashes === undefined ? {} : { hashes }) })).toBe(false);
});

test("takes the hash in either alphabet and with padding", () => {
  const hash = contentHash({ type: "a" });
  const urlSafe = hash.replaceAll("+", "-").replaceAll("/", "_");
  expect(hasValidHash({ type: "a", hashes: { sha256: `${hash}=` } })).toBe(true);
  expect(hasValidHash({ type: "a", hashes: { sha256: urlSafe } })).toBe(true);
});

test("an event of version 1 without an id has none", () => {
  const version = roomVersion("1");
  expect(() => version && eventId({ type: "a" }, version)).toThrow(EventFormatError);
});
