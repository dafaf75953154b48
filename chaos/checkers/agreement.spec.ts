/** Checkers of what servers agree on: state, participation, and the oracle. */
import { expect, test } from "vitest";
import type { JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { judgeAll } from "./checkers.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";
const AGREEMENT = ["participation-agreed", "state-converged", "state-oracle"];

function outcomes(records: readonly JournalRecord[], epoch = 1) {
  const verdicts = judgeAll(records, epoch, AGREEMENT);
  return Object.fromEntries(verdicts.map(({ checker, outcome }) => [checker, outcome]));
}

function findingsOf(checker: string, records: readonly JournalRecord[]) {
  return judgeAll(records, 1, [checker])[0]?.findings ?? [];
}

const ALL_PASS = {
  "participation-agreed": "pass",
  "state-converged": "pass",
  "state-oracle": "pass",
};

/** Both sides of a split set the topic; hs3 merges. */
function split(): SampleFederation {
  const federation = SampleFederation.withRoom();
  const users = { [ALICE]: 100, [BOB]: 50 };
  federation.send(ALICE, "m.room.power_levels", { users }, { stateKey: "" });
  federation.deliver();
  federation.send(ALICE, "m.room.topic", { topic: "a" }, { stateKey: "" });
  federation.send(BOB, "m.room.topic", { topic: "b" }, { stateKey: "" });
  federation.deliver();
  for (const user of [ALICE, BOB, CHARLIE]) federation.message(user, "nudge");
  federation.deliver();
  return federation;
}

test("servers that met again after a split pass, with two or more forward extremities each", () => {
  const federation = split();
  federation.observe();

  expect(federation.extremities("hs1")).toHaveLength(3);
  expect(outcomes(federation.records())).toEqual(ALL_PASS);
});

test("extremities that others follow are none: who wrote them down may not have known", () => {
  const federation = split();
  federation.observe();
  const pdus = federation.records().flatMap((one) => (one.t === "pdu" ? one.event_id : []));
  const records = federation
    .records()
    .map((one) =>
      one.t === "state" ? { ...one, extremities: [...one.extremities, ...pdus] } : one,
    );

  expect(outcomes(records)).toEqual(ALL_PASS);
  expect(judgeAll(records, 1, ["extremities-bounded"])[0]?.findings).toEqual([]);
});

test("a server that shows another event at one key fails", () => {
  const federation = split();
  federation.observe();
  const topics = federation.bodies.flatMap((body) =>
    body.t === "pdu" && body.pdu.type === "m.room.topic" ? body.event_id : [],
  );
  const stands = federation.state("hs1")["m.room.topic|"];
  const [other = ""] = topics.filter((id) => id !== stands);
  const records = federation.records((body) =>
    body.t === "state" && body.server === "hs2.test"
      ? { ...body, state: { ...body.state, "m.room.topic|": other } }
      : body,
  );

  expect(outcomes(records)).toEqual({
    "participation-agreed": "pass",
    "state-converged": "fail",
    "state-oracle": "fail",
  });
  expect(findingsOf("state-converged", records)).toEqual([
    expect.objectContaining({
      room: federation.roomId,
      servers: ["hs1.test", "hs2.test"],
      events: [stands, other],
      matter: "server",
      requirement: "FED.chaos.state-equal",
    }),
  ]);
  expect(findingsOf("state-oracle", records)).toEqual([
    expect.objectContaining({ servers: ["hs2.test"], events: [other, stands], matter: "server" }),
  ]);
});

test("servers that agree on a wrong state fail by the oracle alone", () => {
  const federation = split();
  federation.observe();
  const records = federation.records((body) => {
    if (body.t !== "state") return body;
    const { "m.room.topic|": _, ...state } = body.state;
    return { ...body, state };
  });

  expect(outcomes(records)).toEqual({ ...ALL_PASS, "state-oracle": "fail" });
  expect(findingsOf("state-oracle", records)).toHaveLength(3);
});

test("a state that never came to one server fails as not delivered, and only reports when nobody nudged", () => {
  const story = (mode: "nudged" | "silent") => {
    const federation = SampleFederation.withRoom();
    const topic = federation.send(ALICE, "m.room.topic", { topic: "a" }, { stateKey: "" });
    federation.deliver(["hs1", "hs2"]);
    federation.observe(1, mode);
    return { topic, records: federation.records() };
  };
  const { topic, records } = story("nudged");

  expect(outcomes(records)).toEqual({ ...ALL_PASS, "state-converged": "fail" });
  expect(findingsOf("state-converged", records)).toEqual([
    expect.objectContaining({
      requirement: "FED.chaos.catch-up-nudged",
      events: [topic],
      what: expect.stringMatching(/hs3 has not got 1 event: \$/),
    }),
  ]);
  expect(outcomes(story("silent").records)).toEqual(ALL_PASS);
  expect(findingsOf("state-converged", story("silent").records)).toEqual([
    expect.objectContaining({ outcome: "reported", requirement: "FED.chaos.catch-up-silent" }),
  ]);
});

test("a server whose user has left is no participant, and what it has is old", () => {
  const federation = SampleFederation.withRoom("11", 4);
  federation.member(CHARLIE, CHARLIE, "leave");
  federation.deliver();
  // Of this it is told nothing.
  federation.member("@dora:hs4.test", "@dora:hs4.test", "leave");
  federation.deliver(["hs1", "hs2", "hs4"]);
  federation.send(ALICE, "m.room.topic", { topic: "later" }, { stateKey: "" });
  federation.deliver(["hs1", "hs2"]);
  federation.observe();

  expect(outcomes(federation.records())).toEqual(ALL_PASS);
});

test("a server that takes its user for joined although the others do not fails when it should know", () => {
  const federation = SampleFederation.withRoom();
  const kick = federation.member(ALICE, CHARLIE, "leave");
  federation.deliver(["hs1", "hs2"]);
  federation.observe();

  const records = federation.records();

  expect(outcomes(records)["participation-agreed"]).toBe("fail");
  expect(findingsOf("participation-agreed", records)).toEqual([
    expect.objectContaining({
      servers: ["hs3.test"],
      events: [kick],
      requirement: "FED.chaos.catch-up-nudged",
    }),
  ]);
});

test.each(["6", "11", "12"])(
  "a join before the room was closed that a late branch undoes is a known reset of class D, version %s",
  (version) => {
    const three = SampleFederation.torn(version);
    const join = three.state("hs3")[`m.room.member|${CHARLIE}`];
    const records = three.records();

    expect(three.state("hs1")).not.toHaveProperty(`m.room.member|${CHARLIE}`);
    // Were all to meet once more, version 12 would have him back, and older ones would not.
    const reset = "known-protocol-reset";
    const isBack = version === "12";
    expect(outcomes(records)).toEqual({
      "participation-agreed": reset,
      "state-converged": isBack ? reset : "pass",
      "state-oracle": "pass",
    });
    expect(findingsOf("participation-agreed", records)).toContainEqual(
      expect.objectContaining({
        class: "D",
        matter: "protocol",
        servers: isBack ? ["hs1.test", "hs3.test"] : ["hs3.test"],
        events: [join],
      }),
    );
  },
);

test("events that nobody showed make a difference unknown, and extremities that nobody told", () => {
  const federation = split();
  federation.observe();
  const [stands = ""] = [federation.state("hs1")["m.room.topic|"]];
  const differs = (body: Parameters<Parameters<SampleFederation["records"]>[0] & object>[0]) =>
    body.t === "state" && body.server === "hs2.test"
      ? { ...body, state: { ...body.state, "m.room.topic|": "$other" }, extremities: [] }
      : body;
  const holed = federation.records((body) =>
    body.t === "pdu" && body.event_id === stands ? null : body,
  );

  expect(outcomes(federation.records(differs))).toMatchObject({
    "state-converged": "unknown",
    "state-oracle": "unknown",
  });
  expect(outcomes(holed)["state-oracle"]).toBe("unknown");
});

test("without anything that was seen all are skipped, with the reason", () => {
  const verdicts = judgeAll([], 1);

  expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(["skip"]));
  expect(verdicts.every(({ reason = "" }) => reason !== "")).toBe(true);
});

test("joined_members that does not fit the server's own state is reported", () => {
  const federation = split();
  federation.observe();
  const records = federation.records((body) =>
    body.t === "members" && body.server === "hs3.test"
      ? { ...body, joined: [...(body.joined ?? []), "@left:elsewhere.test"] }
      : body,
  );

  expect(findingsOf("participation-agreed", records)).toEqual([
    expect.objectContaining({
      outcome: "reported",
      what: expect.stringContaining("hs3 does not fit its own state about @left:elsewhere.test"),
    }),
  ]);
});
