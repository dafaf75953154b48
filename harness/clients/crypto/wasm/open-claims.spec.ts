import { expect, test } from "vitest";
import { OpenClaims } from "./open-claims.ts";

const BODY = JSON.stringify({
  one_time_keys: { "@bob:hs2": { PHONE: "signed_curve25519", LAPTOP: "signed_curve25519" } },
});
const NONE = { one_time_keys: {}, failures: { hs2: {} } };
const PHONE_ONLY = { one_time_keys: { "@bob:hs2": { PHONE: { "signed_curve25519:AAAA": {} } } } };

/** Claims by a clock that is put forward by hand. */
function claimsAt() {
  const clock = { now: 0 };
  return { clock, claims: new OpenClaims(() => clock.now) };
}

test("a device without a key is waited for until a claim brings one", () => {
  const { claims } = claimsAt();
  claims.note(BODY, NONE);
  expect(claims.devices).toEqual(["@bob:hs2 PHONE", "@bob:hs2 LAPTOP"]);
  claims.note(BODY, PHONE_ONLY);

  expect(claims.users).toEqual([]);
});

test("while the engine pauses, that it asks for nothing says nothing", () => {
  const { clock, claims } = claimsAt();
  claims.note(BODY, NONE);
  clock.now = 15_000;
  claims.asked();

  expect(claims.users).toEqual(["@bob:hs2"]);
});

test("what the engine leaves out when its pause is over has a session that the device began itself", () => {
  const { clock, claims } = claimsAt();
  claims.note(BODY, NONE);
  clock.now = 20_000;
  claims.asked();

  expect(claims.devices).toEqual([]);
});
