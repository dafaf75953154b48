import { Agent, request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, GatewayUnderTest } from "./gateway-under-test.ts";

/** More than rules buffer. */
const LARGE = Buffer.alloc(65 * 1024 * 1024);

let world: GatewayUnderTest;
let answer: Answer;

beforeEach(async () => {
  answer = (_, outgoing) => outgoing.writeHead(200).end("{}");
  world = await GatewayUnderTest.start((...exchange) => answer(...exchange));
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** True when it has neither succeeded nor failed. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return await Promise.race([settled, new Promise<true>((resolve) => setImmediate(resolve, true))]);
}

test("refuse: new connections and open ones get 504, the other direction goes on", async () => {
  await using open = world.sender();
  await using fresh = world.sender();
  await using other = world.sender("hs2");
  await open.send("/before");
  const rule = world.add({ phase: "link", action: { kind: "refuse" } });
  expect((await open.send("/open", { method: "PUT", body: "{}" })).status).toBe(504);
  await expect(fresh.send("/fresh")).rejects.toThrow(/504/);
  expect((await other.send("/other")).status).toBe(200);
  expect(world.gateway.rules.remove(rule)).toBe(2);
  expect((await open.send("/after")).status).toBe(200);
  expect(world.received).toEqual(["GET /before", "GET /other", "GET /after"]);
  expect(world.trace.filter(({ rules }) => rules !== undefined)).toMatchObject([
    { method: "PUT", path: "/open", status: 504, rules: ["rule"] },
    { method: "CONNECT", path: "hs2:8448", from: "hs1", to: "hs2", status: 504, rules: ["rule"] },
  ]);
});

test("reset: what is open ends at once, also in the middle, and new connections end", async () => {
  await using idle = world.sender();
  await using busy = world.sender();
  await using fresh = world.sender();
  await idle.send("/idle");
  answer = () => undefined;
  const inFlight = busy.send("/busy");
  await expect.poll(() => world.received).toContain("GET /busy");
  const rule = world.add({ phase: "link", action: { kind: "reset" } });
  await expect(inFlight).rejects.toThrow(/ECONNRESET|other side closed/);
  await expect(fresh.send("/fresh")).rejects.toThrow();
  expect(world.gateway.rules.remove(rule)).toBe(3);
  answer = (_, outgoing) => outgoing.end();
  expect((await idle.send("/after")).status).toBe(200);
  await expect.poll(() => world.trace.length).toBe(6);
  expect(world.trace.filter(({ rules }) => rules?.includes("rule"))).toMatchObject([
    { method: "CONNECT", error: "reset while open" },
    { method: "CONNECT", error: "reset while open" },
    { method: "GET", path: "/busy", error: "reset" },
    { method: "CONNECT", error: "reset" },
  ]);
});

test("reset: a client's connection ends at once as well", async () => {
  answer = () => undefined;
  const inFlight = request(`${world.links.hs1.clientUrl}/sync`);
  await expect.poll(() => world.received).toEqual(["GET /sync"]);
  const match = { from: "client", to: "hs1" };
  const rule = world.add({ match, phase: "link", action: { kind: "reset" } });
  await expect(inFlight).rejects.toThrow();
  expect(world.gateway.rules.remove(rule)).toBe(1);
});

test("reset: with a path it acts on such exchanges only", async () => {
  await using sender = world.sender();
  await sender.send("/kept");
  const match = { from: "hs1", to: "hs2", path: "/cut" };
  const rule = world.add({ match, phase: "link", action: { kind: "reset" } });
  expect((await sender.send("/kept")).status).toBe(200);
  await expect(sender.send("/cut")).rejects.toThrow();
  expect(world.gateway.rules.remove(rule)).toBe(1);
  expect(world.received).toEqual(["GET /kept", "GET /kept"]);
});

test("blackhole: what was lost stays lost when it ends, the rest goes on", async () => {
  await using idle = world.sender();
  await using asking = world.sender();
  await using connecting = world.sender();
  await Promise.all([idle.send("/idle"), asking.send("/asking")]);
  const rule = world.add({ phase: "link", action: { kind: "blackhole" } });
  const giveUp = new AbortController();
  const lost = [
    asking.send("/lost", {
      method: "PUT",
      body: LARGE.subarray(0, LARGE.length >> 2),
      signal: giveUp.signal,
    }),
    connecting.send("/connecting"),
  ];
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(2);
  world.gateway.rules.remove(rule);
  expect((await idle.send("/after")).status).toBe(200);
  expect(await Promise.all(lost.map(isPending))).toEqual([true, true]);
  const unanswered = () =>
    world.gateway.unanswered.map(({ from, to, method }) => [from, to, method]);
  expect(unanswered().sort()).toEqual([
    ["hs1", "hs2", "CONNECT"],
    ["hs1", "hs2", "PUT"],
  ]);
  giveUp.abort();
  await expect(lost[0]).rejects.toThrow();
  await expect.poll(() => world.trace.length).toBe(5);
  expect(unanswered()).toEqual([["hs1", "hs2", "CONNECT"]]);
  expect(world.received).toEqual(["GET /idle", "GET /asking", "GET /after"]);
  expect(world.trace.filter(({ rules }) => rules !== undefined)).toMatchObject([
    { method: "CONNECT", rules: ["rule"], error: "lost" },
    { method: "PUT", path: "/lost", rules: ["rule"], error: "the client went away" },
  ]);
  await connecting[Symbol.asyncDispose]();
  await expect(lost[1]).rejects.toThrow();
});

test.each([
  ["an answer", ""],
  ["the rest of an answer", "half"],
])("blackhole: %s that comes while it is in force is lost", async (_what, first) => {
  const { promise: mayAnswer, resolve: letAnswer } = Promise.withResolvers<void>();
  const { promise: hasAnswered, resolve: answered } = Promise.withResolvers<void>();
  answer = (_, outgoing) => {
    if (first !== "") outgoing.write(first);
    void mayAnswer.then(() => outgoing.end(first, answered));
  };
  await using sender = world.sender();
  const giveUp = new AbortController();
  const pending = sender.send("/send", { signal: giveUp.signal });
  await expect.poll(() => world.received).toEqual(["GET /send"]);
  const rule = world.add({ phase: "link", action: { kind: "blackhole" } });
  letAnswer();
  await hasAnswered;
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(1);
  expect(world.gateway.rules.remove(rule)).toBe(1);
  expect(await isPending(pending)).toBe(true);
  giveUp.abort();
  await expect(pending).rejects.toThrow();
  await expect.poll(() => world.trace).toMatchObject([{ status: 200, rules: ["rule"] }]);
});

test.each([
  ["other-name", /altname|does not match/i, "the certificate is of another name"],
  ["other-authority", /certificate|issuer/i, "the certificate is of another authority"],
] as const)("certificate: %s is refused by those who verify", async (of, message, error) => {
  await using open = world.sender();
  await open.send("/before");
  const rule = world.add({ phase: "link", action: { kind: "certificate", of } });
  // Whether the sender has seen the end of its connection yet is left to chance.
  await expect(open.send("/open")).rejects.toThrow();
  await expect(open.send("/fresh")).rejects.toThrow(message);
  const fired = world.gateway.rules.remove(rule);
  expect((await open.send("/after")).status).toBe(200);
  expect(world.received).toEqual(["GET /before", "GET /after"]);
  const [cut, ...refused] = world.trace.filter(({ rules }) => rules !== undefined);
  expect(cut).toMatchObject({ method: "CONNECT", error: "reset while open" });
  expect(refused.length).toBe(fired - 1);
  expect(refused[0]).toMatchObject({ method: "CONNECT", status: 200, error });
});

test("a rule on the link lets bodies stream", async () => {
  answer = (_, outgoing) => outgoing.end(LARGE);
  await using sender = world.sender();
  const rule = world.add({ phase: "link", action: { kind: "delay", ms: 0 } });
  const { status, text } = await sender.send("/large", { method: "PUT", body: LARGE });
  expect([status, text.length]).toEqual([200, LARGE.length]);
  expect(world.gateway.rules.remove(rule)).toBe(2);
});

test("a server that ignores proxies meets the same rules", async () => {
  await world.gateway.listenOn("hs1", "127.88.2.1");
  const askingAgent = () =>
    new Agent({
      connect: {
        ca: world.ca.certificate,
        lookup: (_host, _options, found) => found(null, [{ address: "127.88.2.1", family: 4 }]),
      },
    });
  const ask = async (dispatcher = askingAgent()) => {
    try {
      const { body } = await request("https://hs2:8448/x", { dispatcher });
      await body.dump();
    } finally {
      await dispatcher.destroy();
    }
  };
  await ask();
  for (const action of [
    { kind: "refuse" },
    { kind: "reset" },
    { kind: "certificate", of: "other-name" },
  ] as const) {
    const rule = world.add({ phase: "link", action });
    await expect(ask()).rejects.toThrow();
    expect(world.gateway.rules.remove(rule)).toBeGreaterThan(0);
  }
  const rule = world.add({ phase: "link", action: { kind: "blackhole" } });
  const agent = askingAgent();
  const lost = ask(agent);
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(1);
  world.gateway.rules.remove(rule);
  await ask();
  expect(await isPending(lost)).toBe(true);
  await Promise.all([agent.destroy(), expect(lost).rejects.toThrow()]);
  expect(world.received).toEqual(["GET /x", "GET /x"]);
});

test("a rule whose action does nothing in its phase is refused", () => {
  expect(() => world.add({ phase: "before", action: { kind: "refuse" } })).toThrow(
    /can not refuse in phase before/,
  );
  expect(() => world.add({ phase: "link", action: { kind: "duplicate" } })).toThrow(
    /can not duplicate in phase link/,
  );
});
