import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CertificateAuthority } from "./ca.ts";
import type { Exchange } from "./exchange.ts";
import { type AuthLinks, Gateway, type ServerLinks } from "./gateway.ts";

const upstreams: Server[] = [];
let gateway: Gateway;
let hs1: ServerLinks;
let as1: AuthLinks;
let trace: Exchange[] = [];
let killed: string[] = [];

/** A server that answers with its name, and with the host that was asked for. */
async function upstream(name: string) {
  const server = createServer((incoming, outgoing) => {
    outgoing.writeHead(200, { "content-type": "application/json", "set-cookie": "session=s3cret" });
    outgoing.end(JSON.stringify({ name, host: incoming.headers.host }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  upstreams.push(server);
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

beforeAll(async () => {
  const ca = await CertificateAuthority.create("spec");
  gateway = new Gateway({ name: "spec", ca, record: (exchange) => trace.push(exchange) });
  hs1 = await gateway.addServer("hs1");
  as1 = await gateway.addAuthService("as1", "hs1");
  for (const role of ["hs1", "as1"]) {
    const address = await upstream(role);
    const kill = async () => void killed.push(role);
    gateway.connect(role, { client: () => address, federation: () => address, kill });
  }
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const server of upstreams) server.close();
});

afterEach(() => {
  trace = [];
  killed = [];
});

async function get(url: string) {
  const { body } = await request(url);
  return (await body.json()) as { name: string; host: string };
}

test.each([
  ["a client to the auth service", () => `${as1.publicBase}authorize`, "client", "as1"],
  ["the homeserver to it", () => `${as1.forHomeserver}oauth2/introspect`, "hs1", "as1"],
  ["it to the homeserver", () => `${as1.toHomeserver}_synapse/mas/query_user`, "as1", "hs1"],
  ["a client that logs in", () => `${hs1.clientUrl}/_matrix/client/v3/login`, "client", "as1"],
  ["a client that does not", () => `${hs1.clientUrl}/_matrix/client/v3/sync`, "client", "hs1"],
])("carries and records what is sent from %s", async (_, url, from, to) => {
  const { name } = await get(url());

  expect(name).toBe(to);
  expect(gateway.hasCarried(from, to)).toBe(true);
  expect(gateway.hasCarried(to, "client")).toBe(false);
  expect(trace).toMatchObject([{ from, to, status: 200 }]);
  expect(JSON.stringify(trace)).not.toContain("s3cret");
});

test("tells the auth service by which name its clients asked", async () => {
  const { host } = await get(as1.publicBase);

  expect(`http://${host}/`).toBe(as1.publicBase);
});

test.each(["receiver", "sender"] as const)("ends the %s of a call", async (whom) => {
  const match = { from: "as1", to: "hs1" };
  const rule = { name: "death", match, phase: "processed" } as const;
  const id = gateway.rules.add({ ...rule, action: { kind: "kill", whom } });

  await get(`${as1.toHomeserver}_synapse/mas/query_user`);

  gateway.rules.remove(id);
  expect(killed).toEqual([whom === "sender" ? "as1" : "hs1"]);
});

test("applies rules to one hop and not to the others", async () => {
  const answer = { kind: "answer", status: 418, body: {} } as const;
  const id = gateway.rules.add({
    name: "teapot",
    match: { from: "hs1", to: "as1" },
    phase: "before",
    action: answer,
  });
  const statuses = [];
  for (const url of [as1.forHomeserver, as1.publicBase, as1.toHomeserver]) {
    const { statusCode, body } = await request(url);
    await body.dump();
    statuses.push(statusCode);
  }

  expect(statuses).toEqual([418, 200, 200]);
  expect(gateway.rules.remove(id)).toBe(1);
});
