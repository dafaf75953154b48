import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createClient } from "#harness/http/client";
import { awakeMs, awakeTimeout } from "./awake.ts";

/** Computes, so that nothing else of this process happens. */
function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("time awake", () => {
  it("does not count what the process computed through", async () => {
    const [from, started] = [awakeMs(), performance.now()];
    stall(600);
    await sleep(1);
    expect(performance.now() - started).toBeGreaterThan(600);
    expect(awakeMs() - from).toBeLessThan(500);
  });

  it("goes on as the clock does otherwise", async () => {
    const [from, started] = [awakeMs(), performance.now()];
    await sleep(300);
    const took = performance.now() - started;
    // Timers of a busy machine come late; none comes so late that it would not count.
    expect(awakeMs() - from).toBeGreaterThan(Math.min(took, 300) - 110);
  });

  it("ends a wait", async () => {
    using timeout = awakeTimeout(50);
    await new Promise((resolve) => timeout.signal.addEventListener("abort", resolve));
    expect(timeout.signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("does not blame a server for an answer that nobody read", async () => {
    const server = createServer((_, response) => response.end("{}"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = createClient({ baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 400 });
    const answer = client.request("GET", "/");
    await new Promise<void>((resolve) => server.once("request", () => resolve()));
    stall(1000);
    const { status, durationMs, elapsedMs } = await answer;
    expect(status).toBe(200);
    expect(elapsedMs).toBeGreaterThan(1000);
    expect(durationMs).toBeLessThan(elapsedMs - 700);
    server.closeAllConnections();
    server.close();
  });
});
