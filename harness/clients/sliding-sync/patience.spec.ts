import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import { Session } from "#harness/world/session";
import { SlidingConnection } from "./connection.ts";
import { UNSTABLE, UNSTABLE_PATH } from "./dialect.ts";
import { NoAnswer } from "./patience.ts";
import { allRooms } from "./request.ts";

const LIST = allRooms({ timelineLimit: 1 });
/** A patience of 1 s; an answer is late after a quarter of that. */
const SCALE = 0.05;
const EMPTY = JSON.stringify({ pos: "1", lists: {}, rooms: {}, extensions: {} });

/** A server that treats sliding sync like this and answers everything else. */
async function serverThat(treatsSync: RequestListener) {
  const server = createServer((request, response) => {
    if (request.url?.startsWith(UNSTABLE_PATH)) treatsSync(request, response);
    else response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const session = new Session(
    {
      role: "hs1",
      place: "hs1",
      serverName: "hs1",
      clientUrl: baseUrl,
      federationUrl: baseUrl,
      capabilities: [],
    },
    {
      check: "spec",
      signal: new AbortController().signal,
      timeoutScale: SCALE,
      onExchange: () => undefined,
      onRoom: () => undefined,
      nextName: (prefix) => prefix,
    },
    { userId: "@a:hs1", localpart: "a", password: "", accessToken: "t", deviceId: "D" },
  );
  return {
    connection: new SlidingConnection(session, UNSTABLE, { onViolation: () => undefined }),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
    [Symbol.dispose]() {
      this.stop();
    },
  };
}

test("a server that answers all but sliding sync fails, and what was awaited is said", async () => {
  using server = await serverThat(() => undefined);

  const { connection } = server;
  const direct = connection.sync(LIST, { timeoutMs: 100 });
  await expect(direct).rejects.toThrow(NoAnswer);
  await expect(direct).rejects.toMatchObject({
    expected: "an answer to sliding sync within 1100 ms, 100 of them for news",
    actual: expect.stringMatching(/no answer within 1100 ms; the server answers others/),
    exchange: expect.stringMatching(/^POST .*timeout=100\n\{"lists"/),
  });
  await expect(connection.untilEvent(LIST, "!r:hs1", "$e")).rejects.toMatchObject({
    expected: "event $e in !r:hs1 within 500 ms",
    actual: expect.stringContaining("no answer within"),
  });
});

test("so does one that cuts the connection in the middle of an answer", async () => {
  using server = await serverThat((_, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write(EMPTY, () => response.destroy());
  });

  const answer = server.connection.start(LIST).answer;

  await expect(answer).rejects.toThrow(NoAnswer);
});

test("so does one whose answers are late again and again, long before a check's deadline", async () => {
  using server = await serverThat(async (_, response) => {
    await sleep(600);
    response.end(EMPTY);
  });

  await server.connection.sync(LIST);

  await expect(server.connection.sync(LIST)).rejects.toMatchObject({
    expected: "answers that are together late by at most 1000 ms",
    actual: expect.stringMatching(/late by 1\d{3} ms, the last one by \d{3} ms/),
  });
});

test("a server that is gone, and a request that was cancelled, say nothing about sliding sync", async () => {
  using server = await serverThat(() => undefined);
  const poll = server.connection.start(LIST);
  poll.cancel();
  expect(await poll.answer).toBeUndefined();

  server.stop();

  const error = await server.connection.sync(LIST).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(HarnessError);
  expect(error).toMatchObject({ code: "HS_NO_ANSWER" });
});
