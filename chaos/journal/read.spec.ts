import { expect, test } from "vitest";
import { readJournal } from "./read.ts";
import { SampleFederation } from "./sample-federation.ts";
import { JournalView } from "./view.ts";

const RECORDS = (() => {
  const federation = SampleFederation.withRoom();
  federation.message("@bob:hs2.test");
  federation.deliver();
  federation.observe();
  return federation.records();
})();
const LINES = RECORDS.map((record) => JSON.stringify(record));

test("reads what was written", () => {
  expect(readJournal(LINES.join("\n"))).toEqual({ records: RECORDS, problems: [] });
});

test("leaves out half a last line, as after a kill of the harness", () => {
  const text = LINES.join("\n").slice(0, -10);

  const { records, problems } = readJournal(text, "j");

  expect(records).toEqual(RECORDS.slice(0, -1));
  expect(problems).toEqual([`j:${LINES.length}: is no whole JSON object`]);
});

test("ignores unknown types, and says what else can not be used", () => {
  const text = [
    '{"seq":1,"at":1,"t":"weather","state":7}',
    '{"seq":1,"at":1,"t":"toString"}',
    '{"seq":1,"at":1,"t":"state","room":"!r","server":"s","moment":"watch","state":{"a|":7},"extremities":[]}',
    '{"seq":1,"at":1,"t":"pdu","event_id":"$a","pdu":null}',
    '{"seq":"1","at":1,"t":"note","text":""}',
    "[]",
    "null",
  ].join("\n");

  const { records, problems } = readJournal(text, "j");

  expect(records).toEqual([]);
  expect(problems).toEqual([
    expect.stringContaining("j:3: state.state.a|"),
    expect.stringContaining("j:4: pdu.pdu"),
    "j:5: has no t, seq or at",
    "j:6: is no whole JSON object",
    "j:7: is no whole JSON object",
  ]);
});

test("replays a room, and keeps the rest of it when one event is nonsense", () => {
  const pdu = { room_id: "!room:hs1.test", type: 7 } as never;
  const nonsense = { seq: 0, at: 0, t: "pdu", event_id: "$nonsense", pdu } as const;

  const room = new JournalView([nonsense, ...RECORDS]).rooms.get("!room:hs1.test");

  expect(room?.name).toBe("room");
  expect(room?.history?.events).toHaveLength(7);
  expect(room?.problems).toEqual(["$nonsense: no text at $.type"]);
});

test("an epoch begins after the verdicts on the one before, and the newest has no end", () => {
  const state = { t: "state", room: "!r", server: "s", source: "client", state: {} } as const;
  const at = (seq: number, extremity: string) =>
    ({ ...state, seq, at: 0, moment: "quiescent", extremities: [extremity] }) as const;
  const verdict = (seq: number, epoch: number) =>
    ({
      seq,
      at: 0,
      t: "verdict",
      epoch,
      checker: "c",
      outcome: "pass",
      looked: 1,
      findings: [],
    }) as const;
  const view = new JournalView([at(1, "a"), verdict(2, 1), at(3, "b"), verdict(4, 2), at(5, "c")]);

  const during = (epoch: number) => view.during("state", epoch).flatMap((one) => one.extremities);

  expect([during(1), during(2), during(3)]).toEqual([["a"], ["b", "c"], ["c"]]);
});

test("past and holes are those of the events that were shown", () => {
  const federation = SampleFederation.withRoom();
  const [one, other] = [federation.message("@alice:hs1.test"), federation.message("@bob:hs2.test")];
  federation.deliver();
  const merge = federation.message("@charlie:hs3.test");
  const whole = new JournalView(federation.records()).rooms.get(federation.roomId);
  const records = federation.records((body) =>
    body.t === "pdu" && body.event_id === one ? null : body,
  );
  const holed = new JournalView(records).rooms.get(federation.roomId);

  expect(whole?.isBefore(one, merge)).toBe(true);
  expect(whole?.isBefore(one, other)).toBe(false);
  expect(whole?.isBefore(merge, one)).toBe(false);
  expect(whole?.endsOf([one, other, merge])).toEqual([merge]);
  expect(whole?.holes([merge])).toEqual([]);
  expect(holed?.holes([merge])).toEqual([one]);
  expect(holed?.ancestors([merge]).has(other)).toBe(true);
});
