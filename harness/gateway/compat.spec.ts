import { expect, test } from "vitest";
import { isCompat } from "./compat.ts";

test.each([
  "/_matrix/client/v3/login",
  "/_matrix/client/r0/login?x=1",
  "/_matrix/client/v3/logout",
  "/_matrix/client/v3/logout/all",
  "/_matrix/client/v3/refresh",
  "/_matrix/client/v3/login/sso/redirect?redirectUrl=x",
  "/_matrix/client/v3/login/sso/redirect/idp",
])("the auth service answers %s", (target) => {
  expect(isCompat(target)).toBe(true);
});

test.each([
  "/_matrix/client/v1/login/get_token",
  "/_matrix/client/v3/register",
  "/_matrix/client/v3/rooms/login",
  "/_matrix/client/v3/user/a/login",
  "/_matrix/client/v3/account/whoami?x=/_matrix/client/v3/login",
])("the homeserver answers %s", (target) => {
  expect(isCompat(target)).toBe(false);
});
