import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openDatabase } from "./database.ts";
import { LoginTokens } from "./login-tokens.ts";

let tokens: LoginTokens;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  tokens = new LoginTokens(openDatabase(":memory:"));
});
afterEach(() => void vi.useRealTimers());

test("a login token is good for one login, soon", () => {
  const [first, second, third] = [tokens.make("alice"), tokens.make("bob"), tokens.make("carol")];
  expect(tokens.take(first)).toBe("alice");
  expect(tokens.take(first)).toBeUndefined();
  vi.setSystemTime(Date.now() + 29_000);
  expect(tokens.take(second)).toBe("bob");
  vi.setSystemTime(Date.now() + 1_000);
  expect(tokens.take(third)).toBeUndefined();
  expect(tokens.take("nonsense")).toBeUndefined();
});
