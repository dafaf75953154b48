/** A joined user's view, of servers that do not behave; sources.spec.ts has a real one. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { roomVersion } from "#protocol/rooms/room-version";
import { Recorder } from "./recorder.ts";
import { userSource } from "./user.ts";

const ROOM = "!room:hs1";
const CREATE = {
  type: "m.room.create",
  state_key: "",
  sender: "@alice:hs1",
  room_id: ROOM,
  content: { room_version: "11" },
  depth: 1,
  origin_server_ts: 1,
  prev_events: [],
  auth_events: [],
};
const SYNC = {
  next_batch: "s1",
  rooms: { join: { [ROOM]: { timeline: { events: [{ ...CREATE, event_id: "$create" }] } } } },
};

test("a server that answers at once without news is not asked again at once", async () => {
  // Nothing else waits so long.
  const everyMs = 123;
  const waits = vi.spyOn(globalThis, "setTimeout");
  using _ = { [Symbol.dispose]: () => waits.mockRestore() };
  const isWait = ([, ms]: readonly unknown[]) => ms === everyMs;
  /** How many waits there were before each question. */
  const asked: number[] = [];
  const ended = new AbortController();
  const server = createServer(({ url = "" }, response) => {
    if (url.includes("/sync")) asked.push(waits.mock.calls.filter(isWait).length);
    if (asked.length === 4) ended.abort();
    const isWhoami = url.includes("/whoami");
    const isSync = url.includes("/sync");
    response.end(
      JSON.stringify(isWhoami ? { user_id: "@alice:hs1" } : isSync ? SYNC : CREATE.content),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wanted = { room: ROOM, limit: 100, isOnce: false, everyMs, signal: ended.signal };
  const lines: string[] = [];

  const source = await userSource(url, "token", wanted);
  const about = { room: ROOM, version: source.version, title: "", tool: "" };
  await source
    .run(new Recorder(about, (line) => lines.push(line)))
    .catch((error: unknown) => expect(ended.signal.aborted, String(error)).toBe(true));
  server.close();
  server.closeAllConnections();

  // The first answer had news.
  expect(asked).toEqual([0, 0, 1, 2]);
  expect(lines.filter((line) => line.includes('"t":"pdu"'))).toHaveLength(1);
  expect(source.version).toBe(roomVersion("11"));
});
