/** What the gateway adds to a request: the same requests to a small HTTP server, direct and through it. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Agent, request } from "undici";
import { CertificateAuthority } from "#harness/gateway/ca";
import { Gateway } from "#harness/gateway/gateway";
import { Recorder } from "#harness/gateway/recorder";
import type { Figure } from "./figure.ts";

const WARM_UP = 500;
const REQUESTS = 4_000;
const PARALLEL = 16;
const BODY = JSON.stringify({ msgtype: "m.text", body: "x".repeat(400) });

export async function benchGateway(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const upstream = createServer(async (incoming, outgoing) => {
    for await (const _ of incoming);
    outgoing.writeHead(200, { "content-type": "application/json" }).end(BODY);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const address = { host: "127.0.0.1", port: (upstream.address() as AddressInfo).port };
  const recorder = new Recorder(path.join(folder, "trace.ndjson"));
  const gateway = new Gateway({
    name: "bench",
    ca: await CertificateAuthority.create("bench"),
    record: (exchange) => recorder.record(exchange),
  });
  try {
    const { clientUrl } = await gateway.addServer("hs1");
    gateway.connect("hs1", { client: () => address, federation: () => address });
    const direct = `http://127.0.0.1:${address.port}`;
    for (const base of [direct, clientUrl]) await measure(base, WARM_UP, 1);
    const alone = {
      direct: await measure(direct, REQUESTS, 1),
      through: await measure(clientUrl, REQUESTS, 1),
    };
    const crowded = {
      direct: await measure(direct, REQUESTS, PARALLEL),
      through: await measure(clientUrl, REQUESTS, PARALLEL),
    };
    return [
      {
        name: "gateway: request p50, one at a time",
        value: alone.through.p50,
        unit: "ms",
        peer: { name: "direct", value: alone.direct.p50 },
      },
      {
        name: "gateway: request p99, one at a time",
        value: alone.through.p99,
        unit: "ms",
        peer: { name: "direct", value: alone.direct.p99 },
      },
      { name: "gateway: added at p50", value: alone.through.p50 - alone.direct.p50, unit: "ms" },
      {
        name: `gateway: requests, ${PARALLEL} at a time`,
        value: crowded.through.perSecond,
        unit: "1/s",
        peer: { name: "direct", value: crowded.direct.perSecond },
      },
    ];
  } finally {
    await gateway[Symbol.asyncDispose]();
    await recorder.close();
    upstream.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(base: string, count: number, parallel: number) {
  const agent = new Agent({ connections: parallel });
  const times: number[] = [];
  let left = count;
  const started = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const from = performance.now();
      const { body } = await request(`${base}/_matrix/client/v3/rooms/!a/send/m.room.message/1`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: BODY,
        dispatcher: agent,
      });
      await body.dump();
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  const seconds = (performance.now() - started) / 1000;
  await agent.close();
  times.sort((a, b) => a - b);
  return {
    p50: times[Math.floor(times.length * 0.5)] ?? 0,
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    perSecond: count / seconds,
  };
}
