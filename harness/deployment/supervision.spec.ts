import { expect, test } from "vitest";
import { supervise } from "./supervision.ts";

/** A component that can be restarted; `restarts` counts. */
function component(restart: () => Promise<void> = async () => undefined) {
  const state = { restarts: 0 };
  const restartable = {
    restart: async () => {
      state.restarts++;
      await restart();
    },
  };
  return { state, capabilities: { restartable, hasLogs: { tail: async () => ["last words"] } } };
}

function supervised() {
  const deaths: string[] = [];
  const { signal } = new AbortController();
  const onDeath = (role: string, how: string, tail: readonly string[]) => {
    deaths.push(`${role}: ${how} (${tail.join()})`);
  };
  return { deaths, supervision: supervise("as1", { signal, onDeath }) };
}

test("tells a death with the last log lines, restarts, and knows when it was down", async () => {
  const { deaths, supervision } = supervised();
  const { state, capabilities } = component();
  supervision.watch({ capabilities });

  supervision.onUnexpectedExit("SIGSEGV");

  await expect.poll(() => supervision.outages[0]?.to).toBeGreaterThan(0);
  expect(deaths).toEqual(["as1: SIGSEGV (last words)"]);
  expect(state.restarts).toBe(1);
  expect(supervision.outages).toMatchObject([{ role: "as1", how: "SIGSEGV" }]);
});

test("leaves dead what does not come back, and tells so", async () => {
  const { deaths, supervision } = supervised();
  const { capabilities } = component(() => Promise.reject(new Error("port taken")));
  supervision.watch({ capabilities });

  supervision.onUnexpectedExit("exit code 1");

  await expect.poll(() => deaths).toHaveLength(2);
  expect(deaths[1]).toContain("did not come back: port taken");
  expect(supervision.outages[0]?.to).toBeUndefined();
});

test("restarts three times at most", async () => {
  const { deaths, supervision } = supervised();
  const { state, capabilities } = component();
  supervision.watch({ capabilities });

  for (let death = 1; death <= 5; death++) {
    supervision.onUnexpectedExit("SIGSEGV");
    await expect.poll(() => deaths).toHaveLength(death);
  }

  expect(state.restarts).toBe(3);
});

test("tells nothing of what ends while it starts: whoever starts it does", async () => {
  const { deaths, supervision } = supervised();

  supervision.onUnexpectedExit("exit code 1");

  expect(deaths).toEqual([]);
  expect(supervision.outages).toEqual([]);
});
