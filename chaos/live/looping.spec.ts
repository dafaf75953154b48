import { expect, test } from "vitest";
import { Looping, type Polled } from "./looping.ts";

test("a client that catches up stops waiting for news, and goes on until there are none", async () => {
  const waits: number[] = [];
  const answers: Polled[] = ["news", "news", "quiet"];
  await using loop = new Looping(async ({ waitMs, signal }) => {
    waits.push(waitMs);
    if (waitMs === 0) return answers.shift() ?? "quiet";
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    return "failed";
  });

  await loop.catchUp(10_000);

  expect(waits.slice(0, 4)).toEqual([10_000, 0, 0, 0]);
  expect(answers).toEqual([]);
});
