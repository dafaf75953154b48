import { expect, test } from "vitest";
import { readRequest } from "./incoming.ts";
import { RemoteKeys } from "./remote-keys.ts";

const keys = new RemoteKeys(() => Promise.reject(new Error("nobody is to be asked")));

function read(uri: string) {
  return readRequest({ method: "GET", uri, headers: {}, text: "" }, keys, "peer:8448");
}

test.each([
  "/.well-known/matrix/server",
  "/_matrix/key/v2/server",
  "/_matrix/federation/v1/version",
  "/_matrix/federation/v1/openid/userinfo?access_token=token",
  "/_matrix/media/v3/download/peer/media?allow_remote=false",
  "/_matrix/identity/v2/pubkey/isvalid?public_key=key",
])("%s needs no authorization", async (uri) => {
  expect((await read(uri)).authProblem).toBeUndefined();
});

test.each([
  "/_matrix/federation/v1/media/download/media",
  "/_matrix/federation/v1/query/profile?user_id=%40alice%3Apeer",
])("%s needs one", async (uri) => {
  expect((await read(uri)).authProblem).toBe("no X-Matrix authorization");
});
