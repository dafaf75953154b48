/** Checkers of what must not come back: no-state-reset, no-resurrection, membership-walk. */
import { expect, test } from "vitest";
import { exportDag } from "#chaos/journal/export-dag";
import { JournalRoom } from "#chaos/journal/journal-room";
import type { JournalBody, JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { JournalView } from "#chaos/journal/view";
import { compileDag, namedState, parseDagFile } from "#protocol/dag/dag-file";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import { roomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import { stateResolutionStory } from "#scenarios/stories/state-resolution";
import { judgeAll } from "./checkers.ts";
import { classOf } from "./reset-class.ts";
import { resetsBefore } from "./resets.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";
const HOUR = 3_600_000;

function verdictOn(checker: string, records: readonly JournalRecord[]) {
  return judgeAll(records, 1, [checker])[0];
}

/** Bob has level 50. */
function moderated(version: string): SampleFederation {
  const federation = SampleFederation.withRoom(version);
  const users = federation.version.hasPrivilegedCreators
    ? { [BOB]: 50 }
    : { [ALICE]: 100, [BOB]: 50 };
  federation.send(ALICE, "m.room.power_levels", { users }, { stateKey: "" });
  federation.deliver();
  return federation;
}

function setTopic(federation: SampleFederation, user: string, topic: string, ahead = 0): string {
  return federation.send(user, "m.room.topic", { topic }, { stateKey: "", ahead });
}

/** The third server says one thing that knows nothing of the last event, and all meet. */
function meetLate(federation: SampleFederation): readonly JournalRecord[] {
  federation.message(CHARLIE);
  for (const role of ["hs1", "hs2"]) federation.look(role);
  federation.deliver();
  for (const user of [ALICE, BOB, CHARLIE]) federation.message(user, "nudge");
  federation.deliver();
  federation.observe();
  return federation.records();
}

const STORIES = {
  "d-older-weaker-wins": (version: string) => {
    const federation = moderated(version);
    const rule = (user: string, join_rule: string) =>
      federation.send(user, "m.room.join_rules", { join_rule }, { stateKey: "" });
    const older = rule(BOB, "knock");
    federation.deliver();
    const lost = rule(ALICE, "invite");
    federation.deliver(["hs2"]);
    return { key: "m.room.join_rules|", older, lost, records: meetLate(federation) };
  },
  "c-demoted-author-returns": (version: string) => {
    const federation = moderated(version);
    const older = setTopic(federation, BOB, "old", HOUR);
    federation.deliver();
    const users = federation.version.hasPrivilegedCreators
      ? { [BOB]: 0 }
      : { [ALICE]: 100, [BOB]: 0 };
    federation.send(ALICE, "m.room.power_levels", { users }, { stateKey: "" });
    federation.deliver();
    const lost = setTopic(federation, ALICE, "new");
    federation.deliver(["hs2"]);
    return { key: "m.room.topic|", older, lost, records: meetLate(federation) };
  },
};

test.each([
  ["d-older-weaker-wins", "11", "D"],
  ["d-older-weaker-wins", "12", "D"],
  ["c-demoted-author-returns", "12", "C"],
] as const)("%s in version %s is a known reset of class %s", (name, version, resetClass) => {
  const { key, older, lost, records } = STORIES[name](version);

  expect(verdictOn("no-state-reset", records)).toMatchObject({
    outcome: "known-protocol-reset",
    findings: [
      {
        what: `${key} went back from ${lost} to ${older}, as the rules say`,
        class: resetClass,
        matter: "protocol",
        servers: ["hs1.test", "hs2.test", "hs3.test"],
        events: [lost, older],
      },
    ],
  });
  for (const checker of ["state-converged", "state-oracle", "participation-agreed"])
    expect(verdictOn(checker, records)?.outcome).toBe("pass");
});

test("the topic of a demoted author with a wrong clock does not come back in version 11", () => {
  const { records } = STORIES["c-demoted-author-returns"]("11");

  expect(verdictOn("no-state-reset", records)).toMatchObject({ outcome: "pass", findings: [] });
});

test("what a ban beside it revokes has not been reset", () => {
  const federation = moderated("11");
  const first = setTopic(federation, ALICE, "first");
  federation.deliver();
  setTopic(federation, BOB, "of bob");
  federation.look("hs2");
  federation.member(ALICE, BOB, "ban");
  federation.join("robert", "hs2");
  federation.message("@robert:hs2.test");
  federation.deliver();
  federation.observe();
  const records = federation.records();

  expect(federation.state("hs2")["m.room.topic|"]).toBe(first);
  expect(verdictOn("no-state-reset", records)).toMatchObject({ outcome: "pass", findings: [] });
});

test("a server that alone goes back to an older event fails, and so does one that drops a key", () => {
  const story = (change: (state: Record<string, string>, older: string) => object) => {
    const federation = moderated("11");
    const older = setTopic(federation, ALICE, "older");
    federation.deliver();
    const newer = setTopic(federation, ALICE, "newer");
    federation.deliver();
    federation.look("hs2");
    federation.observe();
    const records = federation.records((body) =>
      body.t === "state" && body.server === "hs2.test" && body.moment === "quiescent"
        ? ({ ...body, state: change({ ...body.state }, older) } as JournalBody)
        : body,
    );
    return { newer, verdict: verdictOn("no-state-reset", records) };
  };
  const back = story((state, older) => ({ ...state, "m.room.topic|": older }));
  const dropped = story(({ "m.room.topic|": _, ...state }) => state);

  for (const { newer, verdict } of [back, dropped]) {
    expect(verdict).toMatchObject({
      outcome: "fail",
      findings: [
        { matter: "server", servers: ["hs2.test"], requirement: "FED.chaos.state-oracle" },
      ],
    });
    expect(verdict?.findings[0]?.events?.[0]).toBe(newer);
  }
});

test.each([
  ["12", "reported", "FED.stateres.v21.empty-mainline"],
  ["11", "fail", "FED.chaos.state-oracle"],
] as const)(
  "a server that has the other topic where version %s leaves it open or not: %s",
  (version, outcome, requirement) => {
    const { records, key, older, lost } = STORIES["c-demoted-author-returns"](version);
    const other = version === "12" ? lost : older;
    const changed = records.map((record) =>
      record.t === "state" && record.moment === "quiescent"
        ? { ...record, state: { ...record.state, [key]: other } }
        : record,
    );

    expect(verdictOn("state-oracle", changed)?.findings).toEqual(
      Array(3).fill(expect.objectContaining({ outcome, requirement, matter: "server" })),
    );
  },
);

/** Bob is banned while he renames himself on the other side. */
function banned(): { federation: SampleFederation; ban: string; rename: string } {
  const federation = SampleFederation.withRoom();
  federation.join("robert", "hs2");
  const ban = federation.member(ALICE, BOB, "ban");
  const content = { membership: "join", displayname: "renamed" };
  const rename = federation.send(BOB, "m.room.member", content, { stateKey: BOB });
  federation.message("@robert:hs2.test");
  federation.deliver();
  federation.message(ALICE, "nudge");
  federation.deliver();
  federation.observe();
  return { federation, ban, rename };
}

test("a ban that holds passes, and one that a server forgets fails", () => {
  const { federation, ban, rename } = banned();
  const key = `m.room.member|${BOB}`;
  const records = federation.records((body) =>
    body.t === "state" && body.server === "hs3.test"
      ? { ...body, state: { ...body.state, [key]: rename } }
      : body,
  );

  expect(federation.state("hs3")[key]).toBe(ban);
  expect(verdictOn("no-resurrection", federation.records())).toMatchObject({
    outcome: "pass",
    looked: 3,
    findings: [],
  });
  expect(verdictOn("no-resurrection", records)).toMatchObject({
    outcome: "fail",
    findings: [
      { matter: "server", servers: ["hs3.test"], events: [ban, rename], room: federation.roomId },
    ],
  });
});

test("who was unbanned may come back, and a ban whose author lost his power at the same time is void", () => {
  const unbanned = SampleFederation.withRoom();
  unbanned.member(ALICE, CHARLIE, "ban");
  unbanned.deliver();
  unbanned.member(ALICE, CHARLIE, "leave");
  unbanned.deliver();
  unbanned.member(CHARLIE, CHARLIE, "join");
  unbanned.deliver();
  unbanned.observe();
  const voided = moderated("11");
  const users = { [ALICE]: 100, [BOB]: 0 };
  voided.send(ALICE, "m.room.power_levels", { users }, { stateKey: "" });
  voided.member(BOB, CHARLIE, "ban");
  voided.deliver();
  voided.message(ALICE, "nudge");
  voided.deliver();
  voided.observe();

  for (const federation of [unbanned, voided]) {
    const verdict = verdictOn("no-resurrection", federation.records());
    expect(verdict).toMatchObject({ outcome: "pass", looked: 3, findings: [] });
  }
});

test("memberships that no events lead to fail, and steps that were not looked at are none", () => {
  const federation = SampleFederation.withRoom();
  federation.look("hs1");
  const ban = federation.member(ALICE, CHARLIE, "ban");
  federation.deliver();
  federation.look("hs1");
  federation.member(ALICE, CHARLIE, "leave");
  federation.deliver();
  const join = federation.member(CHARLIE, CHARLIE, "join");
  federation.deliver();
  federation.observe();
  const key = `m.room.member|${CHARLIE}`;
  const [first = ""] = federation.bodies.flatMap((body) =>
    body.t === "state" ? (body.state[key] ?? []) : [],
  );
  const records = federation.records((body) =>
    body.t === "state" && body.state[key] === join && body.server === "hs1.test"
      ? { ...body, state: { ...body.state, [key]: first } }
      : body,
  );

  expect(verdictOn("membership-walk", federation.records())).toMatchObject({ outcome: "pass" });
  expect(verdictOn("membership-walk", records)).toMatchObject({
    outcome: "fail",
    findings: [
      {
        what: `${CHARLIE} goes from ban to join on hs1`,
        servers: ["hs1.test"],
        events: [ban, first],
      },
    ],
  });
});

test("a membership that the rules lost has the class of that reset", () => {
  const federation = new SampleFederation("11", 3);
  federation.found();
  federation.join("bob", "hs2");
  const join = federation.member(CHARLIE, CHARLIE, "join");
  federation.deliver(["hs1"]);
  federation.look("hs1");
  federation.send(ALICE, "m.room.join_rules", { join_rule: "invite" }, { stateKey: "" });
  federation.message(BOB);
  federation.deliver(["hs1", "hs2"]);
  federation.message(ALICE);
  federation.observe();

  expect(verdictOn("membership-walk", federation.records())).toMatchObject({
    outcome: "known-protocol-reset",
    findings: [{ class: "D", matter: "protocol", servers: ["hs1.test"], events: [join] }],
  });
});

test("a room is exported as a DAG file that resolves to what the servers have", () => {
  const { records, lost, older } = STORIES["d-older-weaker-wins"]("11");
  const [room] = new JournalView(records).rooms.values();
  const ends = room?.history?.extremities ?? [];
  const [reset] = room === undefined ? [] : resetsBefore(room, ends);
  const about = { id: "reset", title: "a reset", className: "D" };
  const file = room && exportDag(room, reset?.sets ?? [], about);
  const read = file && parseDagFile(JSON.parse(JSON.stringify(writeDagFile(file))));

  expect(reset).toMatchObject({ lost, instead: older, resetClass: "D" });
  expect(read?.stateSets).toHaveLength(2);
  const create = read?.events.find(({ type }) => type === "m.room.create")?.id ?? "";
  expect(read?.events.some(({ auth }) => auth.includes(create))).toBe(false);
  const version = room?.version;
  if (read === undefined || version === undefined) return expect.unreachable();
  const dag = compileDag(read, version);
  const graph = EventGraph.of(dag.events, version, dag.rejected);
  const resolved = namedState(resolveState(graph, dag.stateSets), read);
  expect(resolved).toEqual(read.expected.get("11"));
  expect(`$${resolved["m.room.join_rules|"]}`).toBe(older);
});

const RESETS = [
  "a-ban-evaporates",
  "a-join-rules-lost",
  "a-kick-evaporates",
  "a-power-levels-lost",
  "a-topic-lost",
  "b-ban-cascade",
  "b-join-rules-cascade",
  "b-promotion-chain",
  "b-rejoin-undone",
  "b-setting-by-promoted",
  "c-banned-author-returns",
  "c-demoted-author-returns",
  "c-mainline-lost",
  "d-join-then-close",
  "d-older-weaker-wins",
] as const;

test.each(RESETS)("the states of %s have its class in a room of real versions", (id) => {
  const file = stateResolutionStory(id);
  for (const version of [roomVersion("11"), roomVersion("12")]) {
    if (version === undefined) return expect.unreachable();
    const { events, stateSets } = compileDag(file, version);
    const pdus = events.map((event) => {
      const { roomId, stateKey, authEvents, prevEvents, originServerTs, depth } = event;
      const { type, sender, content } = event;
      const isRoot = version.isRoomIdHash && type === "m.room.create";
      const pdu = {
        ...{ type, sender, content, state_key: stateKey ?? "", depth },
        ...{ auth_events: authEvents, prev_events: prevEvents, origin_server_ts: originServerTs },
        ...(isRoot ? {} : { room_id: roomId }),
      };
      return [event.id, pdu] as const;
    });
    const room = new JournalRoom("!room:h1", "room", version.id, new Map(pdus));

    expect(classOf(room, stateSets, 0, () => false)).toBe(file.className);
  }
});
