import { expect, test } from "vitest";
import type { JournalBody, JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { judgeAll } from "./checkers.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";

function verdictOn(records: readonly JournalRecord[]) {
  return judgeAll(records, 1, ["no-lost-event"])[0];
}

function told(federation: SampleFederation, change?: (body: JournalBody) => JournalBody | null) {
  federation.observe();
  return verdictOn(federation.records(change));
}

test("what was acknowledged and is everywhere passes", () => {
  const federation = SampleFederation.withRoom();
  federation.message(BOB);
  federation.deliver();

  expect(told(federation)).toEqual({
    checker: "no-lost-event",
    outcome: "pass",
    looked: 21,
    findings: [],
  });
});

test("an acknowledged event that one server has not got fails", () => {
  const federation = SampleFederation.withRoom();
  const lost = federation.message(BOB);
  federation.deliver(["hs1"]);

  expect(told(federation)).toMatchObject({
    outcome: "fail",
    findings: [
      {
        room: federation.roomId,
        servers: ["hs3.test"],
        events: [lost],
        requirement: "FED.chaos.catch-up-nudged",
        what: `${lost} was acknowledged and is not on hs3`,
      },
    ],
  });
});

test("an acknowledged event that its own server has lost fails, even if nobody has ever shown it", () => {
  const federation = SampleFederation.withRoom();
  const lost = federation.message(BOB);
  const verdict = told(federation, (body) => {
    if (body.t === "pdu" && body.event_id === lost) return null;
    if (body.t === "state" && body.server === "hs2.test")
      return { ...body, extremities: federation.extremities("hs1") };
    return body.t === "event" && body.event_id === lost ? { ...body, status: 404 } : body;
  });

  expect(verdict).toMatchObject({
    outcome: "fail",
    findings: [{ servers: ["hs2.test"], events: [lost], requirement: "FED.chaos.kill-durability" }],
  });
});

test("an unknown outcome may go either way, but the same way everywhere", () => {
  const story = (...roles: string[]) => {
    const federation = SampleFederation.withRoom();
    const id = federation.make(BOB, "m.room.message", { body: "perhaps" });
    federation.take("hs2", id, "created");
    if (roles.length > 0) federation.deliver(roles);
    return told(federation, (body) =>
      roles.length === 0 && body.t === "event" && body.event_id === id
        ? { ...body, status: 404 }
        : body,
    );
  };

  expect(story()).toMatchObject({ outcome: "pass", findings: [] });
  expect(story("hs1", "hs3")).toMatchObject({ outcome: "pass", findings: [] });
  expect(story("hs1")).toMatchObject({
    outcome: "fail",
    findings: [{ what: expect.stringMatching(/ is on hs1 and is not on hs3$/) }],
  });
});

test("what was sent before a server came never fails", () => {
  const federation = new SampleFederation("11", 3);
  federation.found();
  federation.join("bob", "hs2");
  const old = federation.message(ALICE);
  federation.join("charlie", "hs3");
  const verdict = told(federation, (body) =>
    body.t === "event" && body.server === "hs3.test" && body.event_id === old
      ? { ...body, status: 404 }
      : body,
  );

  expect(verdict).toMatchObject({ outcome: "pass", findings: [] });
});

test("what a user may not see never fails, as far as that goes by the memberships of the time", () => {
  const story = (visibility: "joined" | "shared") => {
    const federation = SampleFederation.withRoom("11", 4);
    // His server is in the room all the time.
    federation.join("zoe", "hs4");
    const content = { history_visibility: visibility };
    federation.send(ALICE, "m.room.history_visibility", content, { stateKey: "" });
    const dora = federation.user("dora", "hs4");
    federation.deliver();
    federation.member(dora, dora, "leave");
    federation.deliver();
    const unseen = federation.message(ALICE);
    federation.deliver();
    federation.join("dora", "hs4");
    return told(federation, (body) =>
      body.t === "event" && body.user === dora && body.event_id === unseen
        ? { ...body, status: 404 }
        : body,
    );
  };

  expect(story("joined")).toMatchObject({ outcome: "pass", findings: [] });
  expect(story("shared")).toMatchObject({ outcome: "fail", findings: [{ servers: ["hs4.test"] }] });
});

test("an event that a concurrent ban has others soft-fail is not missed", () => {
  const federation = SampleFederation.withRoom();
  const ban = federation.member(ALICE, BOB, "ban");
  const late = federation.message(BOB);
  federation.deliver(["hs3"], [ban]);
  federation.take("hs2", ban, "send");
  for (const role of ["hs1", "hs3"]) federation.take(role, late, "send", "soft_failed");
  const verdict = told(federation, (body) =>
    body.t === "event" && body.event_id === late && body.server !== "hs2.test"
      ? { ...body, status: 404 }
      : body,
  );

  expect(verdict).toMatchObject({ outcome: "pass", findings: [] });
});

test("a server that denies another one by ACL need not have what that one sends", () => {
  const federation = SampleFederation.withRoom();
  const acl = { allow: ["*"], deny: ["hs2.*"] };
  federation.send(ALICE, "m.room.server_acl", acl, { stateKey: "" });
  federation.deliver();
  federation.message(BOB);

  expect(told(federation)).toMatchObject({ outcome: "pass", findings: [] });
});

test("a server that answers with an error when asked leaves it open", () => {
  const federation = SampleFederation.withRoom();
  const id = federation.message(CHARLIE);
  federation.deliver();
  const verdict = told(federation, (body) =>
    body.t === "event" && body.event_id === id && body.server === "hs1.test"
      ? { ...body, status: 502 }
      : body,
  );

  expect(verdict).toMatchObject({
    outcome: "unknown",
    reason: `hs1 answers 502 when asked for ${id}`,
  });
});
