import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, GatewayUnderTest } from "./gateway-under-test.ts";
import { tokenDigest } from "./message.ts";
import { delayOf, paced } from "./pace.ts";
import type { ScriptExchange } from "./rule.ts";
import { RuleBook } from "./rules.ts";

let world: GatewayUnderTest;
let answer: Answer;

beforeEach(async () => {
  answer = (_, outgoing) => outgoing.writeHead(200).end('{"pdus":{"$a":{}}}');
  world = await GatewayUnderTest.start((...exchange) => answer(...exchange));
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

test("delay: jitter is drawn from the rule's seed", () => {
  const delay = { kind: "delay", ms: 100, jitterMs: 50 } as const;
  const subject = { from: "hs1", to: "hs2", method: "GET", path: "/", query: "", check: undefined };
  const draw = (seed: string) => {
    const book = new RuleBook();
    book.add({ name: "rule", match: {}, phase: "before", action: { ...delay, seed } });
    return Array.from({ length: 20 }, () =>
      book.take(subject, "before").map(({ random }) => delayOf(delay, random)),
    ).flat();
  };
  const drawn = draw("one");
  expect(drawn).toHaveLength(20);
  expect(draw("one")).toEqual(drawn);
  expect(draw("two")).not.toEqual(drawn);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(100);
  expect(Math.max(...drawn)).toBeLessThan(150);
  expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(10);
});

test("slow: a body is cut into what passes in a beat", async () => {
  const pieces: string[] = [];
  const { signal } = new AbortController();
  for await (const piece of paced(Buffer.from("abcdefgh"), 60, signal)) {
    pieces.push(piece.toString());
  }
  expect(pieces).toEqual(["abc", "def", "gh"]);
});

test("slow: a request arrives bit by bit", async () => {
  await using sender = world.sender();
  const rule = world.add({ phase: "before", action: { kind: "slow", bytesPerSecond: 0.01 } });
  const giveUp = new AbortController();
  const pending = sender.send("/send", { method: "PUT", body: "ab", signal: giveUp.signal });
  await expect.poll(() => world.arriving).toEqual(["PUT /send"]);
  giveUp.abort();
  await expect(pending).rejects.toThrow();
  await expect.poll(() => world.trace).toMatchObject([{ rules: ["rule"] }]);
  expect(world.received).toEqual([]);
  expect(world.gateway.rules.remove(rule)).toBe(1);
});

test("slow: an answer comes bit by bit", async () => {
  const match = { from: "client", to: "hs1" };
  world.add({ match, phase: "processed", action: { kind: "slow", bytesPerSecond: 0.01 } });
  const { body } = await request(`${world.links.hs1.clientUrl}/state`);
  const [first] = await body.take(1).toArray();
  expect(String(first)).toBe("{");
  await expect.poll(() => world.trace).toMatchObject([{ status: 200, rules: ["rule"] }]);
});

test("reorder: the second of a pair overtakes the first", async () => {
  await using one = world.sender();
  await using two = world.sender();
  const action = { kind: "reorder", withinMs: 60_000 } as const;
  const rule = world.add({ phase: "before", action });
  const first = one.send("/first");
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(1);
  const second = two.send("/second");
  expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
  expect(world.received).toEqual(["GET /second", "GET /first"]);
  expect(world.gateway.rules.swapped(rule)).toBe(1);
  expect(world.gateway.rules.remove(rule)).toBe(2);
});

test("reorder: one that none follows goes on after a while, or when the rule ends", async () => {
  await using sender = world.sender();
  const short = world.add({ phase: "before", action: { kind: "reorder", withinMs: 1 } });
  expect((await sender.send("/alone")).status).toBe(200);
  expect((await sender.send("/again")).status).toBe(200);
  expect(world.gateway.rules.swapped(short)).toBe(0);
  world.gateway.rules.remove(short);
  const long = world.add({ phase: "before", action: { kind: "reorder", withinMs: 60_000 } });
  const waiting = sender.send("/waiting");
  await expect.poll(() => world.gateway.rules.fired(long)).toBe(1);
  world.gateway.rules.remove(long);
  expect((await waiting).status).toBe(200);
});

test("reorder: the first goes on when the second fails", async () => {
  answer = ({ url }, outgoing) => {
    if (url === "/second") outgoing.destroy();
    else outgoing.end();
  };
  await using one = world.sender();
  await using two = world.sender();
  const rule = world.add({ phase: "before", action: { kind: "reorder", withinMs: 60_000 } });
  const first = one.send("/first");
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(1);
  await expect(two.send("/second")).rejects.toThrow();
  expect((await first).status).toBe(200);
});

test("a whole answer can hold half a JSON text", async () => {
  await using sender = world.sender();
  world.add({ phase: "processed", action: { kind: "rewrite", keep: 0.5 } });
  const { status, text } = await sender.send("/state");
  expect([status, text]).toEqual([200, '{"pdus":{']);
});

test("blackhole: an answer can be lost after delivery", async () => {
  await using sender = world.sender();
  const rule = world.add({ phase: "processed", action: { kind: "blackhole" } });
  const giveUp = new AbortController();
  const pending = sender.send("/send", { method: "PUT", body: "{}", signal: giveUp.signal });
  await expect.poll(() => world.gateway.rules.fired(rule)).toBe(1);
  giveUp.abort();
  await expect(pending).rejects.toThrow();
  await expect.poll(() => world.trace).toMatchObject([{ status: 200, rules: ["rule"] }]);
  expect(world.received).toEqual(["PUT /send"]);
});

test("script: answers in the server's place, or instead of what it answered", async () => {
  await using sender = world.sender();
  const seen: ScriptExchange[] = [];
  const script = (path: string, result?: { status: number; body: unknown }) => ({
    kind: "script" as const,
    run: (exchange: ScriptExchange) => {
      if (exchange.path !== path) return undefined;
      seen.push(exchange);
      return result;
    },
  });
  const before = world.add({ phase: "before", action: script("/a", { status: 403, body: [1] }) });
  const processed = world.add({
    name: "later",
    phase: "processed",
    action: script("/b", { status: 404, body: { errcode: "M_NOT_FOUND" } }),
  });
  const looking = world.add({ name: "looking", phase: "processed", action: script("/c") });
  const send = (path: string) => sender.send(path, { method: "PUT", body: '{"n":1}' });
  expect(await send("/a")).toEqual({ status: 403, text: "[1]" });
  expect(await send("/b?x")).toEqual({ status: 404, text: '{"errcode":"M_NOT_FOUND"}' });
  expect((await send("/c")).text).toBe('{"pdus":{"$a":{}}}');
  expect(world.received).toEqual(["PUT /b?x", "PUT /c"]);
  const link = { from: "hs1", to: "hs2", method: "PUT", request: { n: 1 } };
  const answered = { status: 200, answer: { pdus: { $a: {} } } };
  expect(seen).toEqual([
    { ...link, path: "/a", query: "" },
    { ...link, path: "/b", query: "x", ...answered },
    { ...link, path: "/c", query: "", ...answered },
  ]);
  expect([before, processed, looking].map((id) => world.gateway.rules.remove(id))).toEqual([
    1, 1, 0,
  ]);
  expect(world.trace.map(({ rules }) => rules)).toEqual([["rule"], ["later"], undefined]);
});

test("the trace tells what a rule kept from either end, and whose requests belong together", async () => {
  await using sender = world.sender();
  const swallow = { set: { "/pdus": {} } };
  world.add({ name: "up", phase: "before", action: { kind: "rewrite", ...swallow }, times: 1 });
  world.add({
    name: "down",
    phase: "processed",
    action: { kind: "rewrite", ...swallow },
    times: 2,
  });
  const body = '{"pdus":["p"]}';
  await sender.send("/send/1", { method: "PUT", body });
  await sender.send("/send/2", { method: "PUT", body });
  await sender.send("/send/3", { method: "PUT", body });
  const client = await request(world.links.hs1.clientUrl, {
    headers: { authorization: "Bearer syt_abc" },
  });
  await client.body.dump();

  await expect.poll(() => world.trace).toHaveLength(4);
  const [both, down, none, own] = world.trace;
  const said = '{"pdus":{"$a":{}}}';
  const emptied = '{"pdus":{}}';
  expect(both).toMatchObject({
    request: { body },
    response: { body: emptied },
    server: { request: { body: emptied }, status: 200, response: { body: said } },
  });
  expect(down?.server?.request).toBeUndefined();
  expect(down).toMatchObject({ server: { response: { body: said } } });
  expect(none).not.toHaveProperty("server");
  expect(own?.client).toMatch(/^[0-9a-f]{16}$/);
  expect(JSON.stringify(world.trace)).not.toContain("syt_abc");
});

test("what a rule answered in the server's place is told from what the server was asked", async () => {
  await using sender = world.sender();
  world.add({ phase: "before", action: { kind: "answer", status: 200 } });
  await sender.send("/send/1", { method: "PUT", body: "{}" });
  await expect.poll(() => world.trace).toMatchObject([{ status: 200, rules: ["rule"] }]);
  expect(world.trace[0]).not.toHaveProperty("server");
});

test("a rule for one client's requests leaves those of others alone", async () => {
  const [alice, bob] = ["of-alice", "of-bob"];
  const ask = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`${world.links.hs1.clientUrl}/sync`, { headers });
    await body.dump();
    return statusCode;
  };
  const match = { client: tokenDigest(alice) };
  const rule = world.add({ match, phase: "before", action: { kind: "answer", status: 503 } });
  expect([await ask(alice), await ask(bob), await ask()]).toEqual([503, 200, 200]);
  expect(world.gateway.rules.remove(rule)).toBe(1);
});
