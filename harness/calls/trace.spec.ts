import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CallRecord } from "#harness/results/call";
import { hashOf } from "./facts.ts";
import { exchangesOf } from "./trace.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

function record(check: string, room: string): CallRecord {
  const around = { deployment: "main", check, from: 0, to: 1, rooms: [room] };
  return { ...around, places: [], devices: [], faults: [], notes: [] };
}

function exchange(
  id: string,
  fields: object,
  request: unknown = {},
  response: unknown = {},
): string {
  const message = (value: unknown) => ({ headers: {}, bytes: 0, body: JSON.stringify(value) });
  const base = {
    at: 0,
    durationMs: 1,
    from: "client",
    to: "hs1",
    method: "POST",
    path: "/",
    status: 200,
  };
  return JSON.stringify({
    id,
    ...base,
    ...fields,
    request: message(request),
    response: message(response),
  });
}

const [ONE, OTHER] = [
  record("A.a.a.1", "!of-the-one:hs1"),
  record("A.a.a.12", "!of-the-other:hs1"),
];
const DELAY = "/_matrix/client/v3/rooms/!of-the-one:hs1/send/t/x?org.matrix.msc4140.delay=100";
const SFU_ROOM = hashOf("!of-the-one:hs1", "m.call#ROOM");

const LINES = [
  exchange(
    "scheduled",
    { check: ONE.check, method: "PUT", path: DELAY },
    {},
    { delay_id: "syd_12345" },
  ),
  exchange("token", { check: ONE.check, path: "/get_token" }, { room_id: "!of-the-one:hs1" }),
  exchange("restart by the service", { from: "rtc1", path: "/delayed_events/syd_12345/restart" }),
  exchange("webhook", { from: "sfu1", path: "/sfu_webhook" }, { room: { name: SFU_ROOM } }),
  exchange("federation", { from: "hs1", path: "/x" }, { pdus: [{ room_id: "!of-the-one:hs1" }] }),
  exchange("encoded", { from: "hs1", path: "/rooms/!of-the-other%3Ahs1/x" }),
  exchange("of another room", { from: "hs1", path: "/x" }, { pdus: [{ room_id: "!else:hs1" }] }),
  exchange("claims to be", { check: OTHER.check }, { says: `"check":"${ONE.check}"` }),
  exchange("of a third check in this room", { check: "B.b.b.1", path: "/rooms/!of-the-one:hs1" }),
];

test("a call has what its check did, and what others went on about it", async () => {
  const file = path.join(folder, "main.ndjson");
  writeFileSync(file, `${LINES.join("\n")}\n{"id":"torn","path":"/rooms/!of-the-one:hs1`);
  const found = await exchangesOf(file, [ONE, OTHER]);
  const idsOf = (one: CallRecord) => found.get(one)?.map(({ id }) => id);
  expect(idsOf(ONE)).toEqual([
    "scheduled",
    "token",
    "restart by the service",
    "webhook",
    "federation",
  ]);
  expect(idsOf(OTHER)).toEqual(["encoded", "claims to be"]);
});
