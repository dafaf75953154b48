import { expect, test } from "vitest";
import type { Exchange } from "#harness/gateway/exchange";
import { RECORDED_EVENTS } from "#protocol/events/recorded-rooms";
import { composeReplay, type ReplaySource } from "./compose.ts";
import type { ReplayRecord, RoomEvidence } from "./record.ts";

const ROOM = RECORDED_EVENTS.filter(({ version }) => version.id === "11");
const [CREATE] = ROOM;
const START = Number(CREATE?.pdu.origin_server_ts);
const NAMES = { hs1: "hs1:8448", hs2: "hs2:8448" };

function pdusOf(count: number) {
  return ROOM.slice(0, count).map(({ pdu }) => pdu);
}

function send(pdus: readonly unknown[], answer: unknown, more: Partial<Exchange> = {}): Exchange {
  const message = (body: unknown) => ({ headers: {}, bytes: 0, body: JSON.stringify(body) });
  return {
    id: "main#1",
    at: START + 5_000,
    durationMs: 10,
    from: "hs1",
    to: "hs2",
    method: "PUT",
    path: "/_matrix/federation/v1/send/txn%201",
    origin: "hs1:8448",
    request: message({ pdus }),
    status: 200,
    response: message(answer),
    ...more,
  };
}

function compose(
  exchanges: readonly Exchange[],
  others: readonly RoomEvidence[] = [],
): readonly ReplayRecord[] {
  const servers: ReplaySource["servers"] = Object.entries(NAMES).map(([role, serverName]) => ({
    role,
    serverName,
    implementation: "synapse",
    version: "1.163.2",
    driver: "process:synapse",
  }));
  return composeReplay({
    exchanges,
    servers,
    run: "run",
    seed: 7,
    tool: "crucible",
    isSensitive: false,
    evidence: {
      deployment: "main",
      requirement: "FED.sig.destination",
      title: "the server does",
      isPassed: false,
      message: "it did not",
      from: START - 100,
      to: START + 60_000,
      rooms: [
        {
          roomId: CREATE?.roomId ?? "",
          views: [
            { place: "hs1", pdus: pdusOf(4), state: { "m.room.create|": CREATE?.eventId ?? "" } },
          ],
        },
        ...others,
      ],
    },
  });
}

function of<Type extends ReplayRecord["t"]>(records: readonly ReplayRecord[], type: Type) {
  return records.filter((record) => record.t === type) as Extract<ReplayRecord, { t: Type }>[];
}

test("what users are shown is there once, from its own server on, in an unbroken order", () => {
  const records = compose([]);
  expect(records[0]).toMatchObject({ t: "meta", format: "mx-replay", room_version: "11" });
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1));
  expect(of(records, "pdu").map((record) => record.event_id)).toEqual(
    ROOM.slice(0, 4).map(({ eventId }) => eventId),
  );
  for (const arrival of of(records, "arrive")) {
    expect(arrival).toMatchObject({ via: "created", verdict: "accepted", deduced: true });
  }
  expect(of(records, "state")[0]?.extremities).toEqual([ROOM[3]?.eventId]);
  expect(of(records, "step")[0]).toMatchObject({ ok: false, message: "it did not" });
});

test("a transaction brings events to the other server, which may refuse them", () => {
  const [first, second] = [ROOM[2], ROOM[3]];
  const refused = { pdus: { [second?.eventId ?? ""]: { error: "no" }, $else: "hostile" } };
  const records = compose([send([first?.pdu, second?.pdu], refused)]);
  const came = of(records, "arrive").filter(({ server }) => server === "hs2:8448");
  expect(came).toMatchObject([
    { event_id: first?.eventId, via: "send", from: "hs1:8448", txn: "txn 1", verdict: "unknown" },
    { event_id: second?.eventId, verdict: "rejected", reason: "no" },
  ]);
  expect(of(records, "http")[0]).toMatchObject({ to: "hs2:8448", status: 200 });
});

test("what had no answer has not come", () => {
  const { status: _, response: __, ...lost } = send([ROOM[2]?.pdu], {});
  const records = compose([lost]);
  expect(of(records, "arrive").some(({ server }) => server === "hs2:8448")).toBe(false);
  expect(of(records, "http")[0]).toMatchObject({ blocked: true, events: [ROOM[2]?.eventId] });
});

test("an event by a peer has a server of its own; its clock is not believed", () => {
  const pdu = { ...ROOM[3]?.pdu, sender: "@mallory:peer-x:8448", origin_server_ts: 1 };
  const lie = send([pdu], {}, { from: "peer-x", to: "hs1", origin: "peer-x:8448" });
  const records = compose([lie, send([], {}, { from: "peer-x", origin: "hs2:8448" })]);
  const own = of(records, "arrive").filter(({ server }) => server === "peer-x:8448");
  expect(own).toMatchObject([{ via: "created", at: START + 5_010 }]);
  expect(of(records, "server").map(({ name }) => name)).toContain("peer-x:8448");
});

test.each([
  ["no JSON", send([], {}, { request: { headers: {}, bytes: 1, body: '{"pdus":[' } })],
  ["other things than events", send([1, null, { type: 1 }, { type: "a", sender: "b" }], [])],
  ["another room", send([{ ...ROOM[3]?.pdu, room_id: "!other:hs1" }], {})],
  ["what has no id", send([{ ...ROOM[3]?.pdu, content: 1, prev_events: 3 }], {})],
])("an exchange with %s loses nothing else", (_, exchange) => {
  const records = compose([exchange, send([ROOM[2]?.pdu], {})]);
  expect(of(records, "arrive").some(({ server }) => server === "hs2:8448")).toBe(true);
});

test("a join brings the state to who joins", () => {
  const state = pdusOf(3);
  const join = send(
    [],
    {},
    {
      from: "hs2",
      to: "hs1",
      path: "/_matrix/federation/v2/send_join/room/event",
      request: { headers: {}, bytes: 0, body: JSON.stringify(ROOM[3]?.pdu) },
      response: { headers: {}, bytes: 0, body: JSON.stringify({ state, auth_chain: [state[0]] }) },
    },
  );
  const arrivals = of(compose([join]), "arrive").filter(({ via }) => via === "send_join");
  expect(arrivals.map(({ server }) => server)).toEqual(Array(3).fill("hs2:8448"));
});
