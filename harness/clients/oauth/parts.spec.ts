import { expect, test } from "vitest";
import { parameterOf, readCallback } from "./callback.ts";
import { encodeForm } from "./form.ts";
import { makePkce } from "./pkce.ts";
import { deviceScope, devicesIn } from "./scopes.ts";

test("makes the challenge of RFC 7636 appendix B", () => {
  const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  expect(makePkce(verifier).challenge).toBe("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
  expect(makePkce().verifier).toHaveLength(43);
});

test.each([
  ["https://a.example/cb?x=1#code=c", "https://a.example/cb", { x: "1" }, { code: "c" }],
  ["com.example:/cb?code=c&state=a%20%26#", "com.example:/cb", { code: "c", state: "a &" }, {}],
  ["com.example:cb", "com.example:cb", {}, {}],
])("reads the callback %s", (url, redirectUri, query, fragment) => {
  const callback = readCallback(url);
  expect(callback.redirectUri).toBe(redirectUri);
  expect(Object.fromEntries(callback.query)).toEqual(query);
  expect(Object.fromEntries(callback.fragment)).toEqual(fragment);
  expect(parameterOf(callback, "code")).toBe(url.includes("code") ? "c" : undefined);
});

test("encodes forms in order, with names that stand twice", () => {
  expect(encodeForm({ b: "1 2", a: undefined, c: "&" })).toBe("b=1+2&c=%26");
  expect(
    encodeForm([
      ["a", "1"],
      ["a", "2"],
    ]),
  ).toBe("a=1&a=2");
});

test("names devices in scopes", () => {
  expect(deviceScope("D")).toBe("urn:matrix:client:api:* urn:matrix:client:device:D");
  expect(devicesIn(`openid ${deviceScope("D")} urn:matrix:client:device:E`)).toEqual(["D", "E"]);
});
