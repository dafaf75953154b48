import { beforeEach, expect, test } from "vitest";
import type { Homeserver } from "../homeserver.ts";
import { Accounts } from "../store/accounts.ts";
import { openDatabase } from "../store/database.ts";
import { Credentials } from "./credentials.ts";

let accounts: Accounts;
let credentials: Credentials;
/** Names that the homeserver has been told to provision. */
let provisioned: string[];

beforeEach(() => {
  accounts = new Accounts(openDatabase(":memory:"));
  provisioned = [];
  const homeserver = {
    isAvailable: async (localpart: string) => localpart !== "bot",
    provisionUser: async ({ localpart }: { localpart: string }) => {
      provisioned.push(localpart);
    },
  } as unknown as Homeserver;
  credentials = new Credentials(accounts, homeserver, "hs1:8448");
  accounts.add("alice", "secret");
});

const form = (username: string, password = "secret", password_confirm = password) =>
  new Map(Object.entries({ username, password, password_confirm }));

test.each(["alice", " alice ", "@alice:hs1:8448", "ALICE"])("lets %j in", (username) => {
  expect(credentials.check(form(username))).toMatchObject({ localpart: "alice" });
});

test.each([
  { username: "alice", password: "guess" },
  { username: "alice", password: "" },
  { username: "bob", password: "secret" },
  { username: "@alice:elsewhere", password: "secret" },
])("lets nobody in as %j", ({ username, password }) => {
  expect(credentials.check(form(username, password))).toBe("Wrong user name or password.");
});

test("tells that an account is locked to its owner only, and nothing of one that is gone", () => {
  accounts.setLocked("alice", true);
  expect(credentials.check(form("alice"))).toBe("This account is locked.");
  expect(credentials.check(form("alice", "guess"))).toBe("Wrong user name or password.");
  accounts.setDeactivated("alice", true);
  expect(credentials.check(form("alice"))).toBe("Wrong user name or password.");
});

test.each(["bob", "@bob:hs1:8448", "a".repeat(200)])(
  "makes an account for %s",
  async (username) => {
    const made = await credentials.register(form(username));
    expect(made).toMatchObject({ isAdmin: false, isLocked: false, isDeactivated: false });
    expect(credentials.check(form(username))).toEqual(made);
    expect(provisioned).toEqual([username.startsWith("@") ? "bob" : username]);
  },
);

test.each([
  { why: "capitals", given: form("Bob"), problem: "lower-case" },
  { why: "no name", given: form(""), problem: "lower-case" },
  { why: "a long name", given: form("a".repeat(201)), problem: "lower-case" },
  { why: "a name of elsewhere", given: form("@bob:elsewhere"), problem: "lower-case" },
  { why: "no password", given: form("bob", ""), problem: "needed" },
  { why: "two passwords", given: form("bob", "secret", "other"), problem: "differ" },
  { why: "a name that is taken here", given: form("alice"), problem: "taken" },
  { why: "a name that is taken at the homeserver", given: form("bot"), problem: "taken" },
])("makes no account for $why", async ({ given, problem }) => {
  expect(await credentials.register(given)).toContain(problem);
  expect(accounts.find("bob") ?? accounts.find("bot")).toBeUndefined();
  expect(provisioned).toEqual([]);
});
