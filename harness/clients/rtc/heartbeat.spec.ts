/** The process of a client in a call, before a server that notes what it is asked. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { CheckFailure, HarnessError } from "#harness/errors";
import type { Session } from "#harness/world/session";
import { Heartbeat } from "./heartbeat.ts";

interface Stage extends AsyncDisposable {
  readonly heartbeat: Heartbeat;
  readonly asked: readonly string[];
}

/** @param answerTo a restart, by how many there were */
async function stage(
  answerTo: (restart: number) => Promise<number>,
  delayMs = 10_000,
): Promise<Stage> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const restarts = asked.filter((line) => line.includes("/restart")).length;
    const status = restarts === 0 ? 200 : await answerTo(restarts);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ delay_id: "d/1" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const clientUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const session = {
    userId: "@alice:hs1",
    accessToken: "secret",
    server: { clientUrl },
    context: { check: "spec" },
  } as Session;
  const heartbeat = Heartbeat.start(session, {
    join: { path: "/join", query: {}, body: {} },
    leave: { path: "/leave", query: { delay: "10000" }, body: {} },
    events: "/delayed_events",
    delayMs,
    intervalMs: 20,
  });
  return {
    heartbeat,
    asked,
    [Symbol.asyncDispose]: async () => {
      await heartbeat[Symbol.asyncDispose]();
      server.close();
    },
  };
}

test("schedules its leave before it joins, and restarts it until it is killed", async () => {
  await using here = await stage(async () => 200);
  await here.heartbeat.untilBeats(3);
  const { askedAt, answeredAt } = await here.heartbeat.kill();
  const { length } = here.asked;

  expect(answeredAt).toBeGreaterThanOrEqual(askedAt);
  expect(here.asked.slice(0, 3)).toEqual([
    "PUT /leave?delay=10000 Bearer secret",
    "PUT /join Bearer secret",
    "POST /delayed_events/d%2F1/restart Bearer secret",
  ]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(here.asked).toHaveLength(length);
});

test("tells a refusal as the server's, and one that it has come too late for as ours", async () => {
  await using refused = await stage(async (restart) => (restart === 1 ? 200 : 404));
  const late = () => new Promise<number>((resolve) => setTimeout(resolve, 100, 404));
  await using tooLate = await stage(late, 100);

  await expect(refused.heartbeat.untilBeats(2)).rejects.toThrow(CheckFailure);
  await expect(tooLate.heartbeat.untilBeats(1)).rejects.toThrow(HarnessError);
});
