import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WrongCodes } from "./wrong-codes.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

test("ten wrong codes are too many for ten minutes, and for who entered them", () => {
  const wrong = new WrongCodes();
  for (let tries = 0; tries < 9; tries++) wrong.note("mallory");
  expect(wrong.areTooMany("mallory")).toBe(false);
  wrong.note("mallory");
  expect(wrong.areTooMany("mallory")).toBe(true);
  expect(wrong.areTooMany("alice")).toBe(false);
  vi.setSystemTime(Date.now() + 599_000);
  expect(wrong.areTooMany("mallory")).toBe(true);
  vi.setSystemTime(Date.now() + 2_000);
  expect(wrong.areTooMany("mallory")).toBe(false);
});
