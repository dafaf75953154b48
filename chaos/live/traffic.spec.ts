import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JournalWriter } from "#chaos/journal/write";
import type { Exchange } from "#harness/gateway/exchange";
import { Traffic } from "./traffic.ts";
import { castOf, pdu, ROOM, trafficOf } from "./traffic-for-specs.ts";

const API = "/_matrix/federation";

let clock = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function exchange(from: string, to: string, fields: Partial<Exchange>): Exchange {
  const at = ++clock;
  return { id: `x#${at}`, at, durationMs: 0, from, to, status: 200, ...fields } as Exchange;
}

function message(body: string): NonNullable<Exchange["request"]> {
  return { headers: {}, bytes: body.length, body };
}

function send(from: string, to: string, ...pdus: readonly { readonly event: object }[]): Exchange {
  return exchange(from, to, {
    method: "PUT",
    path: `${API}/v1/send/${clock}`,
    request: message(JSON.stringify({ pdus: pdus.map(({ event }) => event) })),
    response: message(JSON.stringify({ pdus: {} })),
  });
}

test("a server's extremities are what it has been told last, and nothing from before it came into the room anew", () => {
  const traffic = trafficOf();
  const before = pdu("hs1");
  const own = pdu("hs2", before);
  traffic.take(send("hs1", "hs2", before));
  traffic.take(send("hs2", "hs1", own));
  expect(traffic.ends("hs2.test", ROOM, [before.id, own.id])).toEqual([own.id]);

  // Its users leave; what it said last was refused by hs1, and later it comes in by hs1 again.
  const state = pdu("hs1", before);
  const join = pdu("hs2", state);
  traffic.take(
    exchange("hs2", "hs1", {
      method: "PUT",
      path: `${API}/v2/send_join/${encodeURIComponent(ROOM)}/${encodeURIComponent(join.id)}`,
      request: message(JSON.stringify(join.event)),
      response: message(
        JSON.stringify({ state: [state.event], auth_chain: [], event: join.event }),
      ),
    }),
  );
  const shown = [before.id, own.id, state.id, join.id];
  expect(traffic.ends("hs2.test", ROOM, shown)).toEqual([join.id]);
  expect(traffic.ends("hs1.test", ROOM, shown)).toEqual([own.id, join.id].sort());

  const news = pdu("hs1", join);
  traffic.take(send("hs1", "hs2", news));
  expect(traffic.ends("hs2.test", ROOM, [...shown, news.id])).toEqual([news.id]);
});

test("what has come and is never shown follows nothing: the server has refused it", () => {
  const traffic = trafficOf();
  const shown = pdu("hs1");
  const refused = pdu("hs1", shown);
  traffic.take(send("hs1", "hs2", shown, refused));

  expect(traffic.ends("hs2.test", ROOM, [shown.id])).toEqual([]);
  vi.advanceTimersByTime(2_000);
  expect(traffic.ends("hs2.test", ROOM, [shown.id])).toEqual([shown.id]);
  expect(traffic.ends("hs2.test", ROOM, [shown.id, refused.id])).toEqual([refused.id]);
});

test("what a server says of an event when it comes is in the journal", () => {
  const told: unknown[] = [];
  const journal = { write: (record: { t: string }) => record.t === "arrive" && told.push(record) };
  const traffic = new Traffic(castOf(), journal as unknown as JournalWriter);
  const taken = pdu("hs1");
  const refused = pdu("hs1", taken);
  const pdus = { [taken.id]: {}, [refused.id]: { error: "not in the room" } };
  const response = message(JSON.stringify({ pdus }));
  traffic.take({ ...send("hs1", "hs2", taken, refused), response });

  const at = { t: "arrive", server: "hs2.test", via: "send", from: "hs1.test" };
  const ofHs2 = told.filter((record) => (record as { server: string }).server === "hs2.test");
  expect(ofHs2).toMatchObject([
    { ...at, event_id: taken.id, verdict: "unknown" },
    { ...at, event_id: refused.id, verdict: "rejected", reason: "not in the room" },
  ]);
});
