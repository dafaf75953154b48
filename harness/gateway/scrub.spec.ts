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
  ['{"url":"ws://a","jwt":"e30.e30.e30"}', '{"url":"ws://a","jwt":"<scrubbed>"}'],
  ['{"sid":"RM_a","turn_password":"made-up"}', '{"sid":"RM_a","turn_password":"<scrubbed>"}'],
  ['{"sid":"RM_a","turnPassword":"made-up"}', '{"sid":"RM_a","turnPassword":"<scrubbed>"}'],
  [
    '{"authorization":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_"}',
    '{"authorization":"<scrubbed>"}',
  ],
  [
    'X-Matrix origin="hs1",key="ed25519:a",sig="Zm9v"',
    'X-Matrix origin="hs1",key="ed25519:a",sig=<scrubbed>',
  ],
  [
    "grant_type=refresh_token&refresh_token=r1",
    "grant_type=refresh_token&refresh_token=<scrubbed>",
  ],
  [
    "username=alice&password=p%C3%A4ss&csrf=c-1",
    "username=alice&password=<scrubbed>&csrf=<scrubbed>",
  ],
  [
    "grant_type=authorization_code&code=ab12&code_verifier=v-1&redirect_uri=https%3A%2F%2Fapp%2F",
    "grant_type=authorization_code&code=<scrubbed>&code_verifier=<scrubbed>&redirect_uri=https%3A%2F%2Fapp%2F",
  ],
  [
    "grant_type=x&code%5B%5D=ab12&code[]=cd34&a=b",
    "grant_type=x&code%5B%5D=<scrubbed>&code[]=<scrubbed>&a=b",
  ],
  [
    '--b\r\nContent-Disposition: form-data; name="code"\r\nContent-Type: text/plain\r\n\r\nab12\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb',
    '--b\r\nContent-Disposition: form-data; name="code"\r\nContent-Type: text/plain\r\n\r\n<scrubbed>\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb',
  ],
  ["https://app/cb?code=ab12&state=s", "https://app/cb?code=<scrubbed>&state=s"],
  ["https://app/cb#code=ab12&state=s", "https://app/cb#code=<scrubbed>&state=s"],
  ["https://app/cb?loginToken=ab12", "https://app/cb?loginToken=<scrubbed>"],
  [
    "/login?next=%2Flink%3Fuser_code%3DAB-CD%26kind%3Dx",
    "/login?next=%2Flink%3Fuser_code%3D<scrubbed>%26kind%3Dx",
  ],
  [
    '{"device_code":"d1","user_code":"AB-CD","verification_uri_complete":"http://as/link?user_code=AB-CD","interval":5}',
    '{"device_code":"<scrubbed>","user_code":"<scrubbed>","verification_uri_complete":"http://as/link?user_code=<scrubbed>","interval":5}',
  ],
  [
    '{"client_id":"01","client_secret":"s1","registration_access_token":"r1"}',
    '{"client_id":"01","client_secret":"<scrubbed>","registration_access_token":"<scrubbed>"}',
  ],
  [
    '<input type="hidden" name="csrf" value="c-1"><input name="username" value="alice">',
    '<input type="hidden" name="csrf" value="<scrubbed>"><input name="username" value="alice">',
  ],
  ['<input value="AB-CD" name="user_code">', '<input value="<scrubbed>" name="user_code">'],
  [
    'It shows <b>ABCD-EFGH</b>.<input name="user_code" value="ABCD-EFGH">',
    'It shows <b><scrubbed></b>.<input name="user_code" value="<scrubbed>">',
  ],
  [
    '<p>ABCD-EFGH-IJ</p><input name="csrf" value="ABCD-EFGH"><input value="ABCD-EFGH-IJ" name="code">',
    '<p><scrubbed></p><input name="csrf" value="<scrubbed>"><input value="<scrubbed>" name="code">',
  ],
  [
    '<a href="/link?x=1&amp;code=AB-CD">go on</a>',
    '<a href="/link?x=1&amp;code=<scrubbed>">go on</a>',
  ],
  ["token=mat_1&token_type_hint=access_token", "token=<scrubbed>&token_type_hint=access_token"],
])("scrubs %s", (text, scrubbed) => {
  expect(scrub(text)).toBe(scrubbed);
});

test.each([
  '{"errcode":"M_UNKNOWN_TOKEN","error":"Unrecognised access token","next_batch":"s1"}',
  '{"token_type":"Bearer","token_endpoint":"http://as/token","code_challenge_methods_supported":["S256"]}',
  "response_type=code&code_challenge=abc&code_challenge_method=S256&state=s",
  '<input name="username" value="alice"><button name="action" value="consent">go on</button>',
])("keeps what is no secret: %s", (text) => {
  expect(scrub(text)).toBe(text);
  expect(secretsIn(text)).toEqual([]);
});

test("keeps the code of a withheld key, and no other code", () => {
  const withheld = '{"code":"m.unverified","room_id":"!r:hs1"}';
  expect(scrub(withheld)).toBe(withheld);
  expect(scrub('{"code":"m.a1B2c3"}')).toBe('{"code":"<scrubbed>"}');
  expect(scrub('{"password":"m.unverified"}')).toBe('{"password":"<scrubbed>"}');
});

test("scrubs all fields of a page that has thousands, in a time that does not grow with their square", () => {
  const field = (value: string) => `<input name="csrf" value="${value}">`;
  const values = Array.from({ length: 20_000 }, (_, at) => `${"a".repeat(8)}${at}`);
  const began = performance.now();

  const scrubbed = scrub(`<p>${values[0]}</p>${values.map(field).join("")}`);

  expect(performance.now() - began).toBeLessThan(5_000);
  expect(scrubbed).toBe(`<p><scrubbed></p>${field("<scrubbed>").repeat(values.length)}`);
});

test("finds secrets again where they stand without their names", () => {
  const secrets = secretsIn(
    '{"access_token": "syt_abcdef", "token":"short", "room_id":"!room:hs1"}',
  );

  expect(secrets).toEqual(["syt_abcdef"]);
  expect(secretsIn("https://app/cb#code=code_abcdef&state=state_abcdef")).toEqual(["code_abcdef"]);
  expect(secretsIn('<input name="csrf" value="csrf_abcdef">')).toEqual(["csrf_abcdef"]);
  expect(scrubValues("expected syt_abcdef to end, short of !room:hs1", secrets)).toBe(
    "expected <scrubbed> to end, short of !room:hs1",
  );
});
