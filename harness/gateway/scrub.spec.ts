import { expect, test } from "vitest";
import { scrub, scrubValues, secretsIn } from "./scrub.ts";

test.each([
  [
    '{"access_token":"syt_abc","user_id":"@a:hs1"}',
    '{"access_token":"<scrubbed>","user_id":"@a:hs1"}',
  ],
  ['{"password": "a\\"b"}', '{"password": "<scrubbed>"}'],
  ['{"auth":{"password":"cut of', '{"auth":{"password":"<scrubbed>"'],
  ["/sync?access_token=abc&since=s1", "/sync?access_token=<scrubbed>&since=s1"],
  ["Authorization: Bearer syt_x", "Authorization: Bearer <scrubbed>"],
  [
    'X-Matrix origin="hs1",key="ed25519:a",sig="Zm9v"',
    'X-Matrix origin="hs1",key="ed25519:a",sig=<scrubbed>',
  ],
  [
    "grant_type=refresh_token&refresh_token=r1",
    "grant_type=refresh_token&refresh_token=<scrubbed>",
  ],
])("scrubs %s", (text, scrubbed) => {
  expect(scrub(text)).toBe(scrubbed);
});

test("keeps what is no secret", () => {
  const text =
    '{"errcode":"M_UNKNOWN_TOKEN","error":"Unrecognised access token","next_batch":"s1"}';
  expect(scrub(text)).toBe(text);
});

test("keeps the code of a withheld key, and no other code", () => {
  const withheld = '{"code":"m.unverified","room_id":"!r:hs1"}';
  expect(scrub(withheld)).toBe(withheld);
  expect(scrub('{"code":"m.a1B2c3"}')).toBe('{"code":"<scrubbed>"}');
  expect(scrub('{"password":"m.unverified"}')).toBe('{"password":"<scrubbed>"}');
});

test("finds secrets again where they stand without their names", () => {
  const secrets = secretsIn(
    '{"access_token": "syt_abcdef", "token":"short", "room_id":"!room:hs1"}',
  );

  expect(secrets).toEqual(["syt_abcdef"]);
  expect(scrubValues("expected syt_abcdef to end, short of !room:hs1", secrets)).toBe(
    "expected <scrubbed> to end, short of !room:hs1",
  );
});
