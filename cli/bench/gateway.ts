/** What the gateway adds to a request: the same requests to the same server, direct and through it, in turns. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Agent, request } from "undici";
import type { Address } from "#harness/deployment/contract";
import { CertificateAuthority } from "#harness/gateway/ca";
import { Gateway } from "#harness/gateway/gateway";
import { Recorder } from "#harness/gateway/recorder";
import { quantile } from "#harness/results/measurement";
import { BareSynapse } from "./bare.ts";
import type { Figure } from "./figure.ts";

interface Load {
  readonly method: "GET" | "PUT";
  readonly path: string;
  readonly body?: string;
  readonly requests: number;
}

const BLOCK = 50;
const PARALLEL = 16;
const BODY = JSON.stringify({ msgtype: "m.text", body: "x".repeat(400) });
const SEND: Load = {
  method: "PUT",
  path: "/_matrix/client/v3/rooms/!a/send/m.room.message/1",
  body: BODY,
  requests: 3_000,
};
const VERSIONS: Load = { method: "GET", path: "/_matrix/client/versions", requests: 500 };

export async function benchGateway(): Promise<readonly Figure[]> {
  const echo = await startEcho();
  try {
    const { port } = echo.address() as AddressInfo;
    const small = await compare({ host: "127.0.0.1", port }, "an HTTP server", SEND);
    await using server = await BareSynapse.start();
    return [...small, ...(await compare(server.address, "Synapse", VERSIONS))];
  } finally {
    echo.close();
  }
}

/** A server that answers at once: what remains is the gateway. */
async function startEcho(): Promise<Server> {
  const server = createServer(async (incoming, outgoing) => {
    for await (const _ of incoming);
    outgoing.writeHead(200, { "content-type": "application/json" }).end(BODY);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function compare(address: Address, target: string, load: Load): Promise<readonly Figure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const recorder = new Recorder(path.join(folder, "trace.ndjson"));
  const gateway = new Gateway({
    name: "bench",
    ca: await CertificateAuthority.create("bench"),
    record: (exchange) => recorder.record(exchange),
  });
  try {
    const { clientUrl } = await gateway.addServer("hs1");
    gateway.connect("hs1", { client: () => address, federation: () => address });
    const direct = `http://${address.host}:${address.port}`;
    const times = await takeTurns([direct, clientUrl], load);
    const [alone = [], through = []] = times;
    const crowds = [];
    for (const base of [direct, clientUrl]) crowds.push(await perSecond(base, load));
    const [crowd = 0, throughCrowd = 0] = crowds;
    const figure = (share: number): Figure[] => {
      const name = `gateway: p${share * 100} to ${target}`;
      const [without, within] = [quantile(alone, share), quantile(through, share)];
      return [
        { name, value: within, unit: "ms", peer: { name: "direct", value: without } },
        { name: `${name}, added`, value: within - without, unit: "ms" },
      ];
    };
    return [
      ...figure(0.5),
      ...figure(0.99),
      {
        name: `gateway: requests to ${target}, ${PARALLEL} at a time`,
        value: throughCrowd,
        unit: "1/s",
        peer: { name: "direct", value: crowd },
      },
    ];
  } finally {
    await gateway[Symbol.asyncDispose]();
    await recorder.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of each request, one at a time, by base; blocks alternate, so that all meet the same weather. */
async function takeTurns(bases: readonly string[], load: Load): Promise<readonly number[][]> {
  const agent = new Agent({ connections: 1 });
  const times = bases.map((): number[] => []);
  // The first block warms up connections and compilers.
  for (let done = -BLOCK; done < load.requests; done += BLOCK) {
    for (const [index, base] of bases.entries()) {
      for (let count = 0; count < BLOCK; count++) {
        const elapsed = await timeRequest(base, load, agent);
        if (done >= 0) times[index]?.push(elapsed);
      }
    }
  }
  await agent.close();
  return times;
}

async function perSecond(base: string, load: Load): Promise<number> {
  const agent = new Agent({ connections: PARALLEL });
  let left = load.requests;
  const started = performance.now();
  const worker = async () => {
    while (left-- > 0) await timeRequest(base, load, agent);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const seconds = (performance.now() - started) / 1_000;
  await agent.close();
  return load.requests / seconds;
}

async function timeRequest(base: string, { method, path, body }: Load, agent: Agent) {
  const from = performance.now();
  const answer = await request(`${base}${path}`, {
    method,
    dispatcher: agent,
    ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
  });
  await answer.body.dump();
  return performance.now() - from;
}
