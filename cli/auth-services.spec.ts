import { expect, test } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import { authServicesOf } from "./auth-services.ts";

const servers = (spec = "process:synapse") =>
  new Map(["hs1", "hs2"].map((role) => [role, parseServerSpec(spec)]));
const NONE = { auth: "none", mas: undefined } as const;

test("gives no homeserver an auth service unless asked", () => {
  expect(authServicesOf(NONE, servers())).toBeUndefined();
});

test("refuses two auth services", () => {
  expect(() => authServicesOf({ auth: "oidc", mas: "docker:mas" }, servers())).toThrow(
    "--auth oidc and --mas both name an auth service\nnext: keep one of them",
  );
});

test("names the flag of a spec that is none", () => {
  expect(() => authServicesOf({ ...NONE, mas: "mas" }, servers())).toThrow("--mas mas: ");
  expect(() => authServicesOf({ ...NONE, mas: "process:" }, servers())).toThrow(
    "for example process:mas=./mas-cli",
  );
});
