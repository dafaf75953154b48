import { expect, test } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import { authServicesOf } from "./auth-services.ts";

const servers = (spec = "process:synapse") =>
  new Map(["hs1", "hs2"].map((role) => [role, parseServerSpec(spec)]));
const NONE = { auth: undefined, mas: undefined };
const MIXED = [{ needs: ["next-gen-auth"] }, { needs: [] }];
const ABOUT_AUTH = [{ needs: ["next-gen-auth"] }, { needs: ["next-gen-auth", "crypto"] }];
const texts = (specs: ReturnType<typeof authServicesOf>) =>
  [...(specs ?? [])].map(([role, { text }]) => `${role}: ${text}`);

test("gives no homeserver an auth service unless asked", () => {
  expect(authServicesOf(NONE, servers(), MIXED)).toBeUndefined();
  expect(authServicesOf(NONE, servers(), [])).toBeUndefined();
});

test("refuses two auth services", () => {
  expect(() => authServicesOf({ auth: "oidc", mas: "docker:mas" }, servers(), MIXED)).toThrow(
    "--auth oidc and --mas both name an auth service\nnext: keep one of them",
  );
});

test("names the flag of a spec that is none", () => {
  expect(() => authServicesOf({ ...NONE, mas: "mas" }, servers(), MIXED)).toThrow("--mas mas: ");
  expect(() => authServicesOf({ ...NONE, mas: "process:" }, servers(), MIXED)).toThrow(
    "for example process:mas=./mas-cli",
  );
});

test("gives each homeserver one of its own when asked, or when most checks are about it", () => {
  const all = ["hs1: process:oidc", "hs2: process:oidc"];
  expect(texts(authServicesOf({ ...NONE, auth: "oidc" }, servers(), MIXED))).toEqual(all);
  expect(texts(authServicesOf(NONE, servers(), ABOUT_AUTH))).toEqual(all);
  expect(
    texts(authServicesOf(NONE, servers(), [...ABOUT_AUTH, ...ABOUT_AUTH, { needs: [] }])),
  ).toEqual(all);
  expect(authServicesOf(NONE, servers(), MIXED)).toBeUndefined();
  expect(authServicesOf({ ...NONE, auth: "none" }, servers(), ABOUT_AUTH)).toBeUndefined();
});

test("refuses homeservers that can not delegate, and gives them none unasked", () => {
  for (const spec of ["docker:any", "url:https://hs.example.org", "process:synapse@1.124.0"]) {
    expect(() => authServicesOf({ ...NONE, auth: "oidc" }, servers(spec), MIXED)).toThrow(
      `--auth: hs1 (${spec}) can not be given an auth service`,
    );
    expect(authServicesOf(NONE, servers(spec), ABOUT_AUTH)).toBeUndefined();
  }
  for (const spec of ["process:synapse@1.136.0", "process:synapse@1.135.0"])
    expect(authServicesOf({ ...NONE, auth: "oidc" }, servers(spec), MIXED)).toBeDefined();
});

test("gives MAS to no homeserver that asks as an OAuth client", () => {
  const mas = "process:mas=./mas-cli";
  expect(() => authServicesOf({ ...NONE, mas }, servers("process:synapse@1.135.0"), MIXED)).toThrow(
    "use --auth oidc",
  );
});

test("takes a running MAS beside a running homeserver only", () => {
  const mas = "url:https://auth.example.org,admin-client=a,admin-secret=b";
  const beside = (spec: string) => authServicesOf({ ...NONE, mas }, servers(spec), MIXED);
  expect(texts(beside("url:https://hs.example.org"))).toEqual(
    ["hs1", "hs2"].map(
      (role) => `${role}: url:https://auth.example.org,admin-client=a,admin-secret=<redacted>`,
    ),
  );
  expect(() => beside("process:synapse")).toThrow("name that homeserver by --hs url:…");
});

test("refuses options that MAS's driver has not", () => {
  const withOption = (option: string) => () =>
    authServicesOf({ ...NONE, mas: `process:mas=./mas-cli,${option}` }, servers(), MIXED);
  expect(withOption("token-lifetim=60")).toThrow("did you mean token-lifetime");
  expect(withOption("token-lifetime=5")).toThrow("give whole seconds from 60 to 86400");
  expect(withOption("token-lifetime=60")).not.toThrow();
});

test("refuses roles of auth services", () => {
  expect(() => authServicesOf({ ...NONE, mas: "as1=docker:mas" }, servers(), MIXED)).toThrow(
    "auth services have no roles of their own",
  );
});
