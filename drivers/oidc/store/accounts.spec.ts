import { beforeEach, expect, test } from "vitest";
import { Accounts, localpartOf } from "./accounts.ts";
import { openDatabase } from "./database.ts";

let accounts: Accounts;

beforeEach(() => {
  accounts = new Accounts(openDatabase(":memory:"));
});

test("a name is given once", () => {
  expect(accounts.add("alice", "secret")).toBe(true);
  expect(accounts.add("alice", "other", true)).toBe(false);
  expect(accounts.withPassword("alice", "other")).toBeUndefined();
  expect(accounts.find("alice")).toMatchObject({ isAdmin: false });
});

test("a name in capitals is its owner's before it means the one without", () => {
  accounts.add("alice", "secret");
  expect(accounts.withPassword("Alice", "secret")?.localpart).toBe("alice");
  accounts.add("Alice", "older");
  expect(accounts.withPassword("Alice", "older")?.localpart).toBe("Alice");
  expect(accounts.withPassword("Alice", "secret")).toBeUndefined();
});

test("an account without a password has none that is right", () => {
  accounts.add("bot", undefined);
  for (const guess of ["", "nobody", "null"])
    expect(accounts.withPassword("bot", guess)).toBeUndefined();
});

test("nobody is let in by the password that stands in for theirs", () => {
  expect(accounts.withPassword("nobody", "nobody")).toBeUndefined();
});

test.each([
  ["alice", "alice"],
  [" @alice:hs1:8448 ", "alice"],
  ["@alice:hs2:8448", "@alice:hs2:8448"],
  ["alice:hs1:8448", "alice:hs1:8448"],
])("reads %j as %j", (username, localpart) => {
  expect(localpartOf(username, "hs1:8448")).toBe(localpart);
});
