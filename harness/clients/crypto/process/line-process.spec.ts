import { existsSync } from "node:fs";
import os from "node:os";
import { expect, test } from "vitest";
import { LineProcess } from "./line-process.ts";

const LISTENS = ["-e", "process.stdin.resume()"];

test.each(["running", "sleeping"])("the end of what it is for kills a %s process", async (how) => {
  const ending = new AbortController();
  const { signal } = ending;
  const child = new LineProcess("bob", process.execPath, LISTENS, { signal });
  const pid = child.pid ?? 0;
  if (how === "sleeping") process.kill(pid, "SIGSTOP");

  const answer = child.ask("roster");
  ending.abort();

  await expect(answer).rejects.toMatchObject({ code: "INTERRUPTED" });
  await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
});

test("after that end none is started that lives", async () => {
  const child = new LineProcess("bob", process.execPath, LISTENS, { signal: AbortSignal.abort() });
  await expect(child.ask("roster")).rejects.toMatchObject({ code: "INTERRUPTED" });
});

test("one that does not answer the last question is killed when its time is over", async () => {
  const child = new LineProcess("bob", process.execPath, LISTENS);
  await child.end(200, "stop");
  expect(child.isRunning).toBe(false);
});

test("one that answers it ends by itself", async () => {
  const answers = `
    process.stdin.once("data", () => process.stdout.write('{"id":1,"result":null}\\n'));
    process.stdin.once("end", () => process.exit(0));`;
  const child = new LineProcess("bob", process.execPath, ["-e", answers]);
  const from = performance.now();
  await child.end(60_000, "stop");
  expect(performance.now() - from).toBeLessThan(60_000);
  await expect(child.ask("roster")).rejects.toThrow("exit code 0");
});

test("one that yields runs at a lower priority", async () => {
  const [first, second] = [false, true].map(
    (yields) => new LineProcess("bob", process.execPath, LISTENS, { yields }),
  );
  const [own = 0, lower = 0] = [first, second].map((child) => os.getPriority(child?.pid));
  await Promise.all([first?.kill(), second?.kill()]);
  expect(lower).toBe(Math.min(19, own + 5));
});
