import { expect, test } from "vitest";
import { publicKeyOf } from "#protocol/events/signatures";
import { PeerKeys } from "./keys.ts";
import {
  formatAuthorization,
  isSignedRequest,
  parseAuthorization,
  signRequest,
} from "./request-auth.ts";

const { key: KEY } = new PeerKeys("peer-1:8448", "spec");
const REQUEST = {
  method: "PUT",
  uri: "/_matrix/federation/v1/send/1?a=b",
  origin: "peer-1:8448",
  destination: "hs1",
  content: { pdus: [] },
};

test("a signature is for one method, path, query, origin, destination and body", () => {
  const parameters = signRequest(REQUEST, KEY);
  const isRight = (change: object) =>
    isSignedRequest({ ...REQUEST, ...change }, parameters, publicKeyOf(KEY.secret));

  expect(isRight({})).toBe(true);
  expect(isRight({ method: "POST" })).toBe(false);
  expect(isRight({ uri: "/_matrix/federation/v1/send/1" })).toBe(false);
  expect(isRight({ origin: "peer-2:8448" })).toBe(false);
  expect(isRight({ destination: "hs2" })).toBe(false);
  expect(isRight({ destination: undefined })).toBe(false);
  expect(isRight({ content: undefined })).toBe(false);
});

test("what is formatted is parsed", () => {
  const parameters = signRequest(REQUEST, KEY);

  expect(parseAuthorization(formatAuthorization(parameters))).toEqual(parameters);
});

test.for([
  'x-matrix  KEY="ed25519:1" ,\tOrigin="a\\:b",destination=c, sig="s+/=", extra="1, 2"',
  'X-Matrix origin=a:b,key="ed25519:1",sig="s+/=",destination="c"',
])("reads %s", (header) => {
  const expected = { origin: "a:b", destination: "c", key: "ed25519:1", sig: "s+/=" };

  expect(parseAuthorization(header)).toEqual(expected);
});

test.for([
  "",
  "Bearer x",
  'X-Matrix origin="a",key="k"',
  'X-Matrix origin="a" key="k" sig="s"',
  'X-Matrix origin="a,key="k",sig="s"',
])("does not read %s", (header) => {
  expect(parseAuthorization(header)).toBeUndefined();
});
