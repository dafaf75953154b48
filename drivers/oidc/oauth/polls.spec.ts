import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Polls } from "./polls.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

test("a device that keeps to the interval is never too soon, one that does not is", () => {
  const polls = new Polls();
  const wait = (ms: number) => vi.setSystemTime(Date.now() + ms);
  expect(polls.isTooSoon("code")).toBe(false);
  wait(5_000);
  expect(polls.isTooSoon("code")).toBe(false);
  wait(4_900);
  expect(polls.isTooSoon("code")).toBe(true);
  expect(polls.isTooSoon("other")).toBe(false);
  wait(4_900);
  expect(polls.isTooSoon("code")).toBe(true);
});
