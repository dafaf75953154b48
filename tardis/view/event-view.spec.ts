import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Session } from "./session.ts";

const REPLAY = readFileSync(
  new URL("../../scenarios/stories/rooms/netsplit.replay.ndjson", import.meta.url),
  "utf8",
);

async function open(text: string) {
  return await Session.open([{ name: "netsplit.replay.ndjson", text }]);
}

const results = (session: Session, row: number) =>
  session.event({ row }).checks.map(({ what, isRight }) => [what, isRight]);

test("id, hash and signature of each event are right, and told apart when one is not", async () => {
  const session = await open(REPLAY);
  for (const row of session.run.pdus.keys()) {
    expect(results(session, row)).toEqual([
      ["its id", true],
      ["its hash", true],
      ["signatures", true],
    ]);
  }

  // A topic of another text has another hash, but redacted it is the same event.
  const forged = await open(REPLAY.replace('"topic":"', '"topic":"x'));
  const row = forged.run.pdus.findIndex(({ event }) => String(event.content.topic).startsWith("x"));
  expect(results(forged, row)).toEqual([
    ["its id", true],
    ["its hash", false],
    ["signatures", true],
  ]);

  const later = await open(REPLAY.replace('"depth":1,', '"depth":2,'));
  expect(results(later, 0)).toEqual([
    ["its id", false],
    ["its hash", false],
    ["signatures", false],
  ]);
});

test("without keys nobody knows who signed, and without signatures nobody did", async () => {
  const keyless = await open(REPLAY.replaceAll('"keys":', '"lost":'));
  const [, , signed] = keyless.event({ row: 0 }).checks;
  expect(signed).toMatchObject({ isRight: undefined, text: /^can not be checked: .*ed25519:ex/ });
  const unsigned = await open(REPLAY.replaceAll('"signatures":', '"lost":'));
  expect(unsigned.event({ row: 0 }).checks[2]).toMatchObject({ text: "it has none" });
});

test("who cites it, which ids its JSON has, and in whose state it is by then", async () => {
  const session = await open(REPLAY);
  const { pdus } = session.run;
  const topics = pdus.flatMap(({ event }, row) => (event.type === "m.room.topic" ? [row] : []));
  const [first = -1, second = -1] = topics;
  const view = session.event({ row: second });
  const prev = pdus[second]?.event.prevEvents.map((id) => pdus.findIndex((p) => p.eventId === id));
  const auth = pdus[second]?.event.authEvents.map((id) => pdus.findIndex((p) => p.eventId === id));

  const linked = view.json.flatMap(({ row }) => (row === undefined ? [] : [row]));
  expect(linked.toSorted()).toEqual([...(prev ?? []), ...(auth ?? [])].toSorted());
  expect(view.json.map(({ text }) => text).join("")).toBe(
    JSON.stringify(pdus[second]?.json, null, 2),
  );
  const creation = session.event({ row: 0 });
  const cited = creation.links.find(({ kind }) => kind === "is cited as auth event by");
  expect(cited?.events.map(({ row }) => row)).toEqual(
    pdus.flatMap(({ event }, row) =>
      event.authEvents.includes(pdus[0]?.eventId ?? "") ? [row] : [],
    ),
  );
  expect(first).toBeLessThan(second);
  // Bob sets his on two.test while one.test is cut off.
  expect(view.inStates).toEqual([
    { whose: expect.stringMatching(/^after/), text: "yes" },
    { whose: "at one.test", text: expect.stringMatching(/^no: /) },
    { whose: "at two.test", text: "yes" },
  ]);
});
