import { expect, test } from "vitest";
import { StopFlag } from "./workers.ts";

test("workers see the signal, also one that came before", () => {
  const stop = new AbortController();
  using flag = new StopFlag(stop.signal);
  expect(flag.shared[0]).toBe(0);

  stop.abort();
  using late = new StopFlag(stop.signal);

  expect(flag.shared[0]).toBe(1);
  expect(late.shared[0]).toBe(1);
});

test("without a signal they are told to stop when nobody waits for them any more", () => {
  const flag = new StopFlag(new AbortController().signal);
  flag[Symbol.dispose]();
  expect(flag.shared[0]).toBe(1);
});
