import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import type { JsonObject } from "./event.ts";
import { hasValidHash } from "./hashes.ts";
import { RECORDED_EVENTS, RECORDED_KEYS, recordedKey } from "./recorded-rooms.ts";
import { redact } from "./redact.ts";
import {
  publicKeyOf,
  requiredSigners,
  signEvent,
  signJson,
  type VerifyKey,
  verifyEvent,
  verifyJson,
} from "./signatures.ts";

/** Of the specification's test vectors (appendices §Cryptographic Test Vectors). */
const SEED = decodeBase64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1") ?? new Uint8Array();
const NOW = 1_700_000_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;

function version(id: number) {
  const found = ROOM_VERSIONS.get(`${id}`);
  if (found === undefined) throw new Error(`no room version ${id}`);
  return found;
}

const key = (validUntilTs = NOW): VerifyKey => ({ publicKey: publicKeyOf(SEED), validUntilTs });
const anyKey = () => key();

describe("the specification's test vectors", () => {
  test.each([
    [{}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"],
    [
      { one: 1, two: "Two" },
      "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
    ],
  ])("signs %j", (value, signature) => {
    const signed = signJson(value, "domain", "ed25519:1", SEED);
    expect(signed).toEqual({ ...value, signatures: { domain: { "ed25519:1": signature } } });
    expect(verifyJson(signed, "domain", "ed25519:1", publicKeyOf(SEED))).toBe(true);
  });

  test("signs a minimal event", () => {
    const event = {
      room_id: "!x:domain",
      sender: "@a:domain",
      origin: "domain",
      origin_server_ts: 1000000,
      signatures: {},
      hashes: {},
      type: "X",
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
      unsigned: { age_ts: 1000000 },
    };
    expect(signEvent(event, version(1), "domain", "ed25519:1", SEED)).toEqual({
      ...event,
      hashes: { sha256: "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos" },
      signatures: {
        domain: {
          "ed25519:1":
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        },
      },
    });
  });

  test("signs an event with content that redaction removes", () => {
    const event = {
      content: { body: "Here is the message content" },
      event_id: "$0:domain",
      origin: "domain",
      origin_server_ts: 1000000,
      type: "m.room.message",
      room_id: "!r:domain",
      sender: "@u:domain",
      signatures: {},
      unsigned: { age_ts: 1000000 },
    };
    expect(signEvent(event, version(1), "domain", "ed25519:1", SEED)).toEqual({
      ...event,
      hashes: { sha256: "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g" },
      signatures: {
        domain: {
          "ed25519:1":
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        },
      },
    });
  });
});

test("verifies what Synapse signed: its keys, and events of every version, redacted or not", () => {
  for (const answer of RECORDED_KEYS) {
    for (const [keyId, { key: publicKey }] of Object.entries(
      answer.verify_keys as Record<string, { key: string }>,
    )) {
      expect(verifyJson(answer, `${answer.server_name}`, keyId, publicKey)).toBe(true);
    }
  }
  for (const { pdu, version } of RECORDED_EVENTS) {
    const at = Number(pdu.origin_server_ts);
    expect(verifyEvent(pdu, version, recordedKey, at)).toBeUndefined();
    expect(verifyEvent(redact(pdu, version), version, recordedKey, at)).toBeUndefined();
  }
});

test("a join that a member of another server vouches for needs both servers", () => {
  const joins = RECORDED_EVENTS.filter(
    ({ pdu, version }) => requiredSigners(pdu, version).size === 2,
  );
  expect(joins.map(({ version }) => version.id)).toEqual(["8", "9", "10", "11", "12"]);
  for (const { pdu, version } of joins) {
    const { "hs1:8448": _, ...others } = pdu.signatures as JsonObject;
    expect(
      verifyEvent({ ...pdu, signatures: others }, version, recordedKey, Number.MAX_SAFE_INTEGER),
    ).toEqual({ code: "NOT_SIGNED", why: "hs1:8448 has not signed" });
  }
});

test("signing keeps the signatures of others, and unsigned", () => {
  const first = signJson({ a: 1, unsigned: { b: 2 } }, "hs1", "ed25519:1", SEED);
  const second = signJson(first, "__proto__", "ed25519:2", SEED);
  expect(verifyJson(second, "hs1", "ed25519:1", publicKeyOf(SEED))).toBe(true);
  expect(verifyJson(second, "__proto__", "ed25519:2", publicKeyOf(SEED))).toBe(true);
  expect(second.unsigned).toEqual({ b: 2 });
  expect(Object.keys(second.signatures as JsonObject)).toEqual(["hs1", "__proto__"]);
});

describe("verifyJson refuses", () => {
  const signed = signJson({ a: 1 }, "hs1", "ed25519:1", SEED);
  const signature = (text: unknown) =>
    ({ a: 1, signatures: { hs1: { "ed25519:1": text } } }) as JsonObject;

  test.each([
    ["another value", { ...signed, a: 2 }],
    ["another key of the object", { ...signed, b: 1 }],
    ["no signatures", { a: 1 }],
    ["signatures of a wrong type", { a: 1, signatures: ["hs1"] }],
    ["a signature of a wrong type", signature(1)],
    ["no base64", signature("?")],
    ["a short signature", signature("AAAA")],
    ["a signature of zeros", signature(encodeBase64(new Uint8Array(64)))],
    ["what has no canonical form", { ...signed, b: Number.NaN }],
  ])("%s", (_, value) => {
    expect(verifyJson(value as JsonObject, "hs1", "ed25519:1", publicKeyOf(SEED))).toBe(false);
  });

  test("another server, key id, algorithm or key", () => {
    expect(verifyJson(signed, "hs2", "ed25519:1", publicKeyOf(SEED))).toBe(false);
    expect(verifyJson(signed, "hs1", "ed25519:2", publicKeyOf(SEED))).toBe(false);
    expect(verifyJson(signed, "hs1", "ed25519:1", publicKeyOf(new Uint8Array(32)))).toBe(false);
    expect(verifyJson(signed, "hs1", "ed25519:1", "?")).toBe(false);
    const other = signJson({ a: 1 }, "hs1", "rsa:1", SEED);
    expect(verifyJson(other, "hs1", "rsa:1", publicKeyOf(SEED))).toBe(false);
  });
});

describe("who must have signed", () => {
  const member = (content: JsonObject) => ({
    type: "m.room.member",
    sender: "@alice:hs1",
    event_id: "$1:hs2",
    content,
  });
  const names = (pdu: JsonObject, id: number) => [...requiredSigners(pdu, version(id))];

  test("the sender's server, and in versions 1 and 2 that of the event id", () => {
    const pdu = member({ membership: "leave" });
    expect(names(pdu, 1)).toEqual(["hs1", "hs2"]);
    expect(names(pdu, 2)).toEqual(["hs1", "hs2"]);
    expect(names(pdu, 3)).toEqual(["hs1"]);
  });

  test("not the sender's server where an invite answers one by third-party identifier", () => {
    expect(names(member({ membership: "invite", third_party_invite: {} }), 1)).toEqual(["hs2"]);
    expect(names(member({ membership: "invite", third_party_invite: 1 }), 12)).toEqual([]);
    expect(names(member({ membership: "join", third_party_invite: {} }), 12)).toEqual(["hs1"]);
    const message = { ...member({ membership: "invite", third_party_invite: {} }), type: "a" };
    expect(names(message, 12)).toEqual(["hs1"]);
  });

  test("the server of the user who vouches for a join, from version 8 on", () => {
    const voucher = { join_authorised_via_users_server: "@bob:hs3:8448" };
    expect(names(member({ membership: "join", ...voucher }), 7)).toEqual(["hs1"]);
    expect(names(member({ membership: "join", ...voucher }), 8)).toEqual(["hs1", "hs3:8448"]);
    expect(names(member({ membership: "leave", ...voucher }), 8)).toEqual(["hs1"]);
  });

  test("ids without a server let nothing pass", () => {
    const pdu = { ...member({ membership: "join" }), sender: "alice" };
    expect(verifyEvent(pdu, version(11), anyKey, NOW)?.code).toBe("NO_SERVER_NAME");
    const join = member({ membership: "join", join_authorised_via_users_server: null });
    const signed = signEvent(join, version(11), "hs1", "ed25519:1", SEED);
    expect(verifyEvent(signed, version(11), anyKey, NOW)?.code).toBe("NO_SERVER_NAME");
    const named = { type: "a", sender: "@alice:__proto__", content: {} };
    expect(verifyEvent(named, version(11), anyKey, NOW)?.code).toBe("NOT_SIGNED");
  });
});

describe("the validity of keys", () => {
  const event = { type: "a", sender: "@alice:hs1", content: {}, origin_server_ts: NOW };
  const codeAt = (id: number, pdu: JsonObject, found: VerifyKey | undefined, nowMs = NOW) =>
    verifyEvent(
      signEvent(pdu, version(id), "hs1", "ed25519:1", SEED),
      version(id),
      () => found,
      nowMs,
    )?.code;

  test("counts at the time of the event, from version 5 on", () => {
    expect(codeAt(5, event, key(NOW))).toBeUndefined();
    expect(codeAt(5, event, key(NOW - 1))).toBe("NO_VALID_KEY");
    expect(codeAt(12, event, key(NOW - 1))).toBe("NO_VALID_KEY");
    expect(codeAt(4, { ...event, event_id: "$1:hs1" }, key(NOW - 1))).toBeUndefined();
  });

  test("is never longer than seven days from now", () => {
    const forever = key(Number.MAX_SAFE_INTEGER);
    const later = { ...event, origin_server_ts: NOW + 7 * DAY_MS };
    expect(codeAt(11, later, forever)).toBeUndefined();
    expect(codeAt(11, { ...later, origin_server_ts: NOW + 7 * DAY_MS + 1 }, forever)).toBe(
      "NO_VALID_KEY",
    );
    expect(codeAt(4, { ...later, origin_server_ts: NOW + 8 * DAY_MS }, forever)).toBeUndefined();
  });

  test("signatures by unknown keys are skipped, but one must be known", () => {
    const signed = signEvent(event, version(11), "hs1", "ed25519:1", SEED);
    const other = signEvent(signed, version(11), "hs1", "ed25519:other", new Uint8Array(32));
    const first = (_: string, keyId: string) => (keyId === "ed25519:1" ? key() : undefined);
    expect(verifyEvent(other, version(11), first, NOW)).toBeUndefined();
    expect(verifyEvent(other, version(11), () => undefined, NOW)?.code).toBe("NO_VALID_KEY");
    expect(verifyEvent(other, version(11), anyKey, NOW)?.code).toBe("WRONG_SIGNATURE");
  });
});

test("no change to a signed event passes both signature and hash", () => {
  const values = fc.oneof(fc.constant(undefined), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...RECORDED_EVENTS),
      fc.nat(),
      values,
      ({ pdu, version }, choice, value) => {
        const keys = Object.keys(pdu).filter(
          (name) => name !== "signatures" && name !== "unsigned",
        );
        const changed = { ...pdu, [keys[choice % keys.length] ?? ""]: value } as JsonObject;
        if (JSON.stringify(changed) === JSON.stringify(pdu)) return;
        const at = Number(pdu.origin_server_ts);
        const text = JSON.parse(JSON.stringify(changed)) as JsonObject;
        const passes =
          hasValidHash(text) && verifyEvent(text, version, recordedKey, at) === undefined;
        expect(passes).toBe(false);
      },
    ),
    { numRuns: 300, seed: 3 },
  );
});
