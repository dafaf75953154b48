import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, ProxyAgent, request } from "undici";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CertificateAuthority } from "./ca.ts";
import type { Exchange } from "./exchange.ts";
import { Gateway, type ServerLinks } from "./gateway.ts";
import type { Rule } from "./rule.ts";

/** More than rules buffer. */
const LARGE_BYTES = 65 * 1024 * 1024;

let upstream: Server;
let ca: CertificateAuthority;
let gateway: Gateway;
let hs1: ServerLinks;
let trace: Exchange[] = [];
let received: { url: string; body: string; headers: Record<string, unknown> }[] = [];

beforeAll(async () => {
  ca = await CertificateAuthority.create("spec");
  upstream = createServer(async (incoming, outgoing) => {
    if (incoming.url === "/unread") {
      outgoing.writeHead(400);
      return outgoing.end("too much");
    }
    let body = "";
    try {
      for await (const chunk of incoming) body += chunk;
    } catch {
      body += "<cut>";
    }
    received.push({ url: incoming.url ?? "", body, headers: incoming.headers });
    outgoing.writeHead(200, { "content-type": "application/json", "x-extra": "kept" });
    if (incoming.url === "/large") return outgoing.end(Buffer.alloc(LARGE_BYTES));
    return outgoing.end(
      JSON.stringify({ url: incoming.url, access_token: "syt_secret", rooms: ["a", "b"] }),
    );
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const address = { host: "127.0.0.1", port: (upstream.address() as AddressInfo).port };
  gateway = new Gateway({ name: "spec", ca, record: (exchange) => trace.push(exchange) });
  hs1 = await gateway.addServer("hs1");
  await gateway.addServer("hs2");
  for (const role of ["hs1", "hs2"]) {
    gateway.connect(role, { client: () => address, federation: () => address });
  }
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  upstream.close();
});

afterEach(() => {
  trace = [];
  received = [];
});

async function call(path = "/x", options: Parameters<typeof request>[1] = {}) {
  const { statusCode, headers, body } = await request(`${hs1.clientUrl}${path}`, options);
  return { status: statusCode, headers, text: await body.text() };
}

async function withRule<T>(
  rule: Omit<Rule, "name" | "match"> & { match?: Rule["match"] },
  run: () => Promise<T>,
) {
  const id = gateway.rules.add({ name: "rule", match: {}, ...rule });
  try {
    return { result: await run(), fired: gateway.rules.fired(id) };
  } finally {
    gateway.rules.remove(id);
  }
}

async function traced(count = 1): Promise<Exchange[]> {
  await expect.poll(() => trace.length).toBe(count);
  return trace;
}

test("forwards, records, and scrubs", async () => {
  const { status, headers } = await call("/_matrix/x?access_token=abc", {
    method: "POST",
    headers: { authorization: "Bearer syt_mine", "x-crucible-check": "CS.a#1" },
    body: '{"password":"hunter2"}',
  });
  const [exchange] = await traced();
  expect(status).toBe(200);
  expect(headers["x-extra"]).toBe("kept");
  expect(headers["x-crucible-exchange"]).toBe(exchange?.id);
  expect(exchange).toMatchObject({
    from: "client",
    to: "hs1",
    method: "POST",
    status: 200,
    check: "CS.a#1",
  });
  expect(received[0]?.body).toBe('{"password":"hunter2"}');
  expect(received[0]?.headers).not.toHaveProperty("x-crucible-check");
  expect(JSON.stringify(exchange)).not.toMatch(/syt_|hunter2|abc/);
});

test("knows the link of a federated request, with verified TLS", async () => {
  const proxy = new ProxyAgent({
    uri: `http://127.0.0.1:${hs1.proxyPort}`,
    requestTls: { ca: ca.certificate },
  });
  const answer = await request("https://hs2:8448/_matrix/federation/v1/version", {
    dispatcher: proxy,
    headers: { authorization: 'X-Matrix origin="hs1",key="ed25519:a",sig="Zm9vYmFy"' },
  });
  await answer.body.dump();
  const [exchange] = await traced();
  expect(answer.statusCode).toBe(200);
  expect(exchange).toMatchObject({ from: "hs1", to: "hs2", origin: "hs1" });
  expect(JSON.stringify(exchange)).not.toContain("Zm9vYmFy");
  await expect(
    request("https://nobody:8448/", { dispatcher: proxy }).then(({ body }) => body.dump()),
  ).rejects.toThrow();
  expect((await traced(2))[1]).toMatchObject({ from: "hs1", to: "nobody", error: "no such host" });
  await proxy.close();
});

test("before: an answer never reaches the server", async () => {
  const action = { kind: "answer", status: 418, body: { a: 1 } } as const;
  const { result, fired } = await withRule({ phase: "before", action }, () => call());
  expect(result).toMatchObject({ status: 418, text: '{"a":1}' });
  expect(received).toEqual([]);
  expect(fired).toBe(1);
  expect((await traced())[0]?.rules).toEqual(["rule"]);
});

test("before: a rewrite changes what the server gets", async () => {
  const action = { kind: "rewrite", remove: ["/device_id"], set: { "/n": 2 } } as const;
  await withRule({ phase: "before", action }, () =>
    call("/x", { method: "POST", body: '{"device_id":"D","n":1}' }),
  );
  expect(received[0]?.body).toBe('{"n":2}');
});

test("before: a duplicate reaches the server twice", async () => {
  const { result } = await withRule({ phase: "before", action: { kind: "duplicate" } }, () =>
    call("/x", { method: "PUT", body: "{}" }),
  );
  expect(result.status).toBe(200);
  expect(received).toHaveLength(2);
});

test.each(["before", "processed", "mid-response"] as const)(
  "%s: a reset breaks the connection",
  async (phase) => {
    await expect(withRule({ phase, action: { kind: "reset" } }, () => call())).rejects.toThrow();
    expect(received).toHaveLength(phase === "before" ? 0 : 1);
  },
);

test("a reset breaks a connection between servers", async () => {
  const proxy = new ProxyAgent({
    uri: `http://127.0.0.1:${hs1.proxyPort}`,
    requestTls: { ca: ca.certificate },
  });
  const run = () => request("https://hs2:8448/x", { dispatcher: proxy });
  await expect(withRule({ phase: "before", action: { kind: "reset" } }, run)).rejects.toThrow();
  expect(await traced()).toMatchObject([{ from: "hs1", to: "hs2", error: "reset" }]);
  await proxy.close();
});

test("mid-request: the server gets half a body", async () => {
  const run = () => call("/x", { method: "POST", body: "0123456789" });
  await expect(
    withRule({ phase: "mid-request", action: { kind: "reset" } }, run),
  ).rejects.toThrow();
  await expect.poll(() => received[0]?.body).toBe("01234<cut>");
});

test("processed: a rewrite changes status, headers and body", async () => {
  const action = {
    kind: "rewrite",
    status: 500,
    headers: { "x-extra": null },
    remove: ["/rooms/-1"],
  } as const;
  const { result } = await withRule({ phase: "processed", match: { status: 200 }, action }, () =>
    call(),
  );
  expect(result.status).toBe(500);
  expect(result.headers).not.toHaveProperty("x-extra");
  expect(JSON.parse(result.text).rooms).toEqual(["a"]);
});

test("a rewrite replaces text in the target of a request and in the headers of an answer", async () => {
  const before = { kind: "rewrite", head: [["mode=a", "mode=b"]] } as const;
  await withRule({ phase: "before", action: before }, () => call("/x?mode=a"));
  expect(received[0]?.url).toBe("/x?mode=b");
  const processed = { kind: "rewrite", head: [["kept", "changed"]] } as const;
  const { result } = await withRule({ phase: "processed", action: processed }, () => call());
  expect(result.headers["x-extra"]).toBe("changed");
});

test("mid-response: a truncated answer is no answer", async () => {
  const rule = { phase: "mid-response", action: { kind: "truncate", bytes: 5 } } as const;
  await expect(withRule(rule, () => call())).rejects.toThrow();
});

test("an answer too large for a rule breaks its connection, and others go on", async () => {
  const rule = { phase: "processed", action: { kind: "rewrite", set: {} } } as const;
  await expect(withRule(rule, () => call("/large"))).rejects.toThrow();
  expect(await traced()).toMatchObject([
    { error: expect.stringContaining("can not hold more than") },
  ]);
  expect((await call()).status).toBe(200);
});

test("a gate holds until it is released", async () => {
  const id = gateway.rules.add({
    name: "gate",
    match: {},
    phase: "before",
    action: { kind: "gate" },
  });
  const pending = call();
  await expect.poll(() => gateway.rules.fired(id)).toBe(1);
  expect(received).toEqual([]);
  gateway.rules.release(id);
  expect((await pending).status).toBe(200);
  expect(gateway.rules.remove(id)).toBe(1);
});

test("a rule that fits nothing has not fired, and one with times stops", async () => {
  const none = await withRule(
    { phase: "before", match: { path: "/other" }, action: { kind: "reset" } },
    () => call(),
  );
  expect(none.fired).toBe(0);
  const once = await withRule(
    { phase: "before", times: 1, action: { kind: "answer", status: 503 } },
    async () => [(await call()).status, (await call()).status],
  );
  expect(once.result).toEqual([503, 200]);
});

test("a server that is not there is a broken connection, not an answer", async () => {
  const links = await gateway.addServer("hs3");
  await expect(request(`${links.clientUrl}/x`)).rejects.toThrow();
  expect((await traced())[0]?.error).toContain("hs3 has not been started yet");
});

test("a server that ignores proxies is known by the address that it calls", async () => {
  await gateway.listenOn("hs1", "127.88.1.1");
  await gateway.listenOn("hs2", "127.88.1.2");
  const askFrom = async (address: string, host: string) => {
    const agent = new Agent({
      connect: {
        ca: ca.certificate,
        lookup: (_host, _options, found) => found(null, [{ address, family: 4 }]),
      },
    });
    try {
      const { body } = await request(`https://${host}:8448/_matrix/federation/v1/version`, {
        dispatcher: agent,
      });
      await body.dump();
    } finally {
      await agent.close();
    }
  };
  await askFrom("127.88.1.1", "hs2");
  await askFrom("127.88.1.2", "hs1");
  expect(trace.map(({ from, to }) => `${from} to ${to}`)).toEqual(["hs1 to hs2", "hs2 to hs1"]);
  await expect(askFrom("127.88.1.1", "hs9")).rejects.toThrow();
});

test("an answer to a request that is not read leaves its connection to the next one", async () => {
  const dispatcher = new Agent({ connections: 1 });
  const body = Buffer.alloc(4 * 1024 * 1024);
  const answers = [];
  for (const path of ["/unread", "/unread", "/x"]) {
    answers.push((await call(path, { method: "POST", body, dispatcher })).status);
  }
  await dispatcher.close();
  expect(answers).toEqual([400, 400, 200]);
});
