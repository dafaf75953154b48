/** What is done to servers, and what they are then taken to be, on servers that only note what is asked of them. */
import { expect, test } from "vitest";
import type { JournalWriter } from "#chaos/journal/write";
import type { Deployment } from "#harness/deployment/deployment";
import type { ServerStep } from "#scenarios/plan";
import type { Cast } from "./cast.ts";
import { Trouble } from "./trouble.ts";

/** A server that can do all of this, with what it was asked to. */
function server() {
  const done: string[] = [];
  const does = (...names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, async () => void done.push(name)]));
  const capabilities = {
    killable: does("kill"),
    pausable: does("pause", "resume"),
    stoppable: does("stop", "start"),
    fillsDisk: does("fill", "free"),
  };
  const running = { capabilities };
  const deployment = {
    servers: new Map([["hs1", running]]),
    server: () => ({ server: running }),
    component: () => running,
    gateway: { rules: { add: () => "rule", fired: () => 1, remove: () => undefined } },
  } as unknown as Deployment;
  // Nobody is there to ask whether it answers again.
  const cast = { serverName: (role: string) => role, on: () => [] } as unknown as Cast;
  const journal = { write: () => undefined } as unknown as JournalWriter;
  const trouble = new Trouble(deployment, cast, journal);
  const act = (action: ServerStep["action"]) => trouble.act({ server: "hs1", action });
  return { done, trouble, act };
}

test.each([
  ["kill", "down", "start"],
  ["pause", "paused", "resume"],
] as const)(
  "a disk stays full through %s, and is freed when all servers are to run",
  async (harm, condition, end) => {
    const { done, trouble, act } = server();

    await act("fill-disk");
    await act(harm);
    const then = trouble.condition("hs1");
    await act(end);
    const back = trouble.condition("hs1");
    await trouble.wakeAll();

    expect([then, back, trouble.condition("hs1")]).toEqual([condition, "full", "running"]);
    expect(done).toEqual(["fill", harm, end, "free"]);
  },
);

test("a server is freed while it is down, and then started", async () => {
  const { done, trouble, act } = server();

  await act("fill-disk");
  await act("kill");
  await trouble.endAll();

  expect(done).toEqual(["fill", "kill", "free", "start"]);
  expect(trouble.condition("hs1")).toBe("running");
});

test("a server that dies as it calls, with its disk full, is brought back with the heal", async () => {
  const { done, trouble, act } = server();

  await act("fill-disk");
  await trouble.start({ fault: "kill-caller", id: "dies", links: ["hs1>hs2"] });
  await trouble.heal(["dies"]);

  expect(done).toEqual(["fill", "start"]);
  expect(trouble.condition("hs1")).toBe("full");
});

test("what is so already is not done again, and has not acted", async () => {
  const { done, trouble, act } = server();

  for (const action of ["start", "resume", "free-disk", "pause", "pause"] as const)
    await act(action);

  expect(done).toEqual(["pause"]);
  expect(trouble.condition("hs1")).toBe("paused");
  const acted = trouble.reports.map(({ fault, fired }) => [fault, fired]);
  expect(acted).toEqual([
    ["start", 0],
    ["resume", 0],
    ["free-disk", 0],
    ["pause", 1],
    ["pause", 0],
  ]);
});
