/** Checkers of what clients are told: sync-equals-state, timeline-unique, to-device-once, device-lists, what is hidden. */
import { expect, test } from "vitest";
import type { JournalBody, JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { PLAN_FORMAT, type Plan } from "#scenarios/plan";
import { judgeAll } from "./checkers.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";

function verdictOn(checker: string, records: readonly JournalRecord[], epoch = 1) {
  return judgeAll(records, epoch, [checker])[0];
}

interface Answer {
  readonly section?: "join" | "leave";
  readonly limited?: boolean;
  readonly isStateAfter?: boolean;
}

/** The user's server tells him of these events. */
function tell(
  federation: SampleFederation,
  user: string,
  ids: readonly string[],
  { section = "join", limited = false, isStateAfter = true }: Answer = {},
): void {
  federation.bodies.push({
    t: "sync",
    server: user.slice(user.indexOf(":") + 1),
    user,
    room: federation.roomId,
    section,
    timeline: ids.map((id) => ({ event_id: id })),
    limited,
    state: {},
    is_state_after: isStateAfter,
  });
}

function folded(
  federation: SampleFederation,
  user: string,
  role: string,
  changed: object = {},
  source: "sync" | "sliding-sync" = "sync",
): void {
  federation.bodies.push({
    t: "view",
    epoch: 1,
    server: `${role}.test`,
    user,
    room: federation.roomId,
    source,
    state: { ...federation.state(role), ...changed },
  });
}

test("a client whose folded state is another one fails, without state_after and by sliding sync it is told", () => {
  const story = (answer: Answer, source: "sync" | "sliding-sync", changed: object) => {
    const federation = SampleFederation.withRoom();
    federation.send(ALICE, "m.room.topic", { topic: "t" }, { stateKey: "" });
    federation.deliver();
    tell(federation, CHARLIE, [], answer);
    folded(federation, CHARLIE, "hs3", changed, source);
    federation.observe();
    return verdictOn("sync-equals-state", federation.records());
  };
  const wrong = { "m.room.topic|": "$older" };

  expect(story({}, "sync", {})).toMatchObject({ outcome: "pass", looked: 1 });
  expect(story({}, "sync", wrong)).toMatchObject({
    outcome: "fail",
    findings: [{ servers: ["hs3.test"], events: ["$older", expect.stringMatching(/^\$/)] }],
  });
  expect(story({ isStateAfter: false }, "sync", wrong)).toMatchObject({
    outcome: "skip",
    findings: [{ outcome: "reported", what: expect.stringContaining("right after some forks") }],
  });
  expect(story({ isStateAfter: false }, "sync", {})).toMatchObject({ outcome: "pass" });
  expect(story({}, "sliding-sync", wrong)).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", what: expect.stringContaining("by sliding-sync") }],
  });
});

test("a key that is gone from the state, which no answer can tell, is told and fails nobody", () => {
  const key = "m.room.topic|";
  const story = (isKnown: boolean, changed: object = {}) => {
    const federation = SampleFederation.withRoom();
    const topic = federation.make(ALICE, "m.room.topic", { topic: "t" }, { stateKey: "" });
    if (isKnown) federation.deliver();
    tell(federation, CHARLIE, []);
    folded(federation, CHARLIE, "hs3", { [key]: topic, ...changed });
    federation.observe();
    const records = federation.records((body) => {
      if (body.t !== "state") return body;
      const { [key]: _, ...state } = body.state;
      return { ...body, state };
    });
    return { topic, verdict: verdictOn("sync-equals-state", records) };
  };
  const { topic, verdict } = story(true);
  const { verdict: other } = story(true, { "m.room.join_rules|": "$older" });

  expect(verdict).toMatchObject({
    outcome: "pass",
    looked: 1,
    findings: [{ outcome: "reported", matter: "protocol", events: [topic] }],
  });
  expect(other).toMatchObject({
    outcome: "fail",
    looked: 1,
    findings: [
      { outcome: "reported", events: [topic] },
      { outcome: "fail", events: ["$older", expect.stringMatching(/^\$/)] },
    ],
  });
  // What never was in its server's state no client may believe.
  expect(story(false).verdict).toMatchObject({ outcome: "fail" });
  expect(story(true, { [key]: "$nowhere" }).verdict).toMatchObject({ outcome: "fail" });
});

test("what came after the look at a server's state is no difference", () => {
  const story = (isTold: boolean) => {
    const federation = SampleFederation.withRoom();
    tell(federation, CHARLIE, []);
    federation.observe();
    const key = "m.room.topic|";
    if (isTold) {
      tell(federation, CHARLIE, []);
      const last = federation.bodies.at(-1);
      if (last?.t !== "sync") throw new TypeError("no sync");
      federation.bodies.splice(-1, 1, { ...last, state: { [key]: "$late" } });
    }
    folded(federation, CHARLIE, "hs3", { [key]: "$late" });
    return verdictOn("sync-equals-state", federation.records());
  };

  expect(story(true)).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  expect(story(false)).toMatchObject({ outcome: "fail" });
});

test("only the keys that a client of sliding sync asked for count, and only users who are in the room", () => {
  const federation = SampleFederation.withRoom();
  federation.member(CHARLIE, CHARLIE, "leave");
  federation.deliver();
  folded(federation, BOB, "hs2", { "x.other|": "$other" }, "sliding-sync");
  folded(federation, CHARLIE, "hs3", { "x.other|": "$other" });
  federation.observe();
  const records = federation.records((body) =>
    body.t === "view" && body.source === "sliding-sync"
      ? { ...body, keys: ["m.room.create|"] }
      : body,
  );

  expect(verdictOn("sync-equals-state", records)).toMatchObject({
    outcome: "pass",
    looked: 1,
    findings: [],
  });
});

test("an event that comes twice in a timeline fails, unless the user came back in between or a gap was marked", () => {
  const story = (back: "not" | "between answers" | "within one", limited = false) => {
    const federation = SampleFederation.withRoom();
    const id = federation.message(ALICE);
    federation.deliver();
    tell(federation, CHARLIE, [id]);
    if (back === "between answers") tell(federation, CHARLIE, [], { section: "leave" });
    const [left, joined] = (["leave", "join"] as const).map((membership) =>
      federation.member(CHARLIE, CHARLIE, membership),
    );
    federation.deliver();
    const news = back === "within one" && left && joined ? [left, joined] : [];
    tell(federation, CHARLIE, [id, ...news], { limited });
    federation.observe();
    return { id, verdict: verdictOn("timeline-unique", federation.records()) };
  };
  const { id, verdict } = story("not");

  expect(verdict).toMatchObject({
    outcome: "fail",
    findings: [{ events: [id], servers: ["hs3.test"], requirement: "FED.txn.response-lost" }],
  });
  expect(story("not", true).verdict).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", events: [id] }],
  });
  for (const back of ["between answers", "within one"] as const)
    expect(story(back).verdict).toMatchObject({ outcome: "pass", findings: [] });
});

test("what was never told is reported, unless a limited timeline marks the gap or it may be late", () => {
  const story = (limited: boolean, isLast = false, isHistory = false) => {
    const federation = SampleFederation.withRoom();
    const first = federation.message(ALICE);
    federation.deliver();
    tell(federation, CHARLIE, [first], { limited: true });
    const hidden = federation.message(ALICE);
    const last = federation.message(ALICE);
    federation.deliver();
    if (!isLast) tell(federation, CHARLIE, [last], { limited });
    federation.observe();
    const records = federation.records((body) =>
      body.t === "arrive" && body.event_id === hidden && isHistory
        ? { ...body, via: "backfill" }
        : body,
    );
    return { hidden, verdict: verdictOn("timeline-unique", records) };
  };
  const { hidden, verdict } = story(false);

  expect(verdict).toMatchObject({ findings: [{ outcome: "reported", events: [hidden] }] });
  expect(story(true).verdict).toMatchObject({ outcome: "pass", findings: [] });
  expect(story(false, true).verdict).toMatchObject({ outcome: "pass", findings: [] });
  expect(story(false, false, true).verdict).toMatchObject({ outcome: "pass", findings: [] });
});

/** Bob sends three to-device messages to charlie; the last one may have been sent. */
function messages(...come: readonly string[]): readonly JournalRecord[] {
  const federation = SampleFederation.withRoom();
  const ids = ["one", "two", "three"];
  const plan: Plan = {
    format: PLAN_FORMAT,
    id: "p",
    title: "p",
    servers: 3,
    users: { bob: "hs2", charlie: "hs3" },
    rooms: {},
    steps: ids.map((id) => ({ op: "to-device", id, by: "bob", target: "charlie" })),
  };
  federation.bodies.push({ t: "plan", plan });
  tell(federation, CHARLIE, []);
  for (const step of ids) {
    federation.bodies.push({
      t: "step",
      id: 1,
      name: step,
      ok: true,
      step,
      op: "to-device",
      by: BOB,
      server: "hs2.test",
      outcome: step === "three" ? "unknown" : "ok",
      began: 1_700_000_000_000 + federation.bodies.length,
    });
  }
  for (const content of come) {
    const to = { server: "hs3.test", user: CHARLIE, device: "D" };
    federation.bodies.push({ t: "to-device", ...to, sender: BOB, content });
  }
  federation.observe();
  const users = { bob: BOB, charlie: CHARLIE };
  return federation.records((body) => (body.t === "cast" ? { ...body, users } : body));
}

test("to-device messages come once each, in order; of what nobody knows it may come or not", () => {
  const verdict = (...come: readonly string[]) => verdictOn("to-device-once", messages(...come));

  expect(verdict("one", "two")).toMatchObject({ outcome: "pass", findings: [] });
  expect(verdict("one", "two", "three")).toMatchObject({ outcome: "pass", findings: [] });
  expect(verdict("one", "two", "two")).toMatchObject({
    outcome: "fail",
    findings: [{ what: `two of ${BOB} comes again to D of ${CHARLIE}`, servers: ["hs3.test"] }],
  });
  expect(verdict("one")).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", requirement: "FED.txn.to-device-durable" }],
  });
  expect(verdict("two", "one")).toMatchObject({
    findings: [{ outcome: "reported", what: expect.stringContaining("comes to D") }],
  });
});

function changeDevices(
  federation: SampleFederation,
  by: string,
  op: "new-device" | "upload-keys" = "upload-keys",
): void {
  federation.bodies.push({
    t: "step",
    id: 1,
    name: "new",
    ok: true,
    step: "new",
    op,
    by,
    server: by.slice(by.indexOf(":") + 1),
    outcome: "ok",
    began: 1_700_000_000_001 + federation.bodies.length,
  });
}

test("a changed device that others are not told of is reported, and fails when its server sent nothing until later", () => {
  const story = (
    told: readonly string[],
    {
      op = "upload-keys",
      sent = [],
    }: {
      readonly op?: "new-device" | "upload-keys";
      readonly sent?: readonly string[];
    } = {},
  ) => {
    const federation = SampleFederation.withRoom();
    for (const user of [BOB, CHARLIE]) tell(federation, user, []);
    const update = (server: string, users: readonly string[]) =>
      federation.bodies.push({ t: "device-update", from: "hs1.test", server, users });
    const list = (user: string, changed: string) => {
      const to = { server: `${user.split(":")[1]}`, user };
      federation.bodies.push({ t: "device-lists", ...to, changed: [changed], left: [] });
    };
    // Of an earlier change.
    update("hs3.test", [ALICE]);
    list(CHARLIE, ALICE);
    changeDevices(federation, ALICE, op);
    list(CHARLIE, BOB);
    update("hs2.test", [ALICE]);
    update("hs3.test", [BOB]);
    for (const server of sent) update(server, [ALICE]);
    for (const user of told) list(user, ALICE);
    federation.observe();
    federation.observe(2);
    return federation.records();
  };
  const verdict = (...args: Parameters<typeof story>) =>
    verdictOn("device-lists", story(...args), 2);
  const missing = { requirement: "FED.txn.device-list-sent", servers: ["hs1.test", "hs3.test"] };

  expect(verdictOn("device-lists", story([BOB, CHARLIE]))).toMatchObject({
    outcome: "pass",
    looked: 2,
    findings: [],
  });
  expect(verdictOn("device-lists", story([BOB]))).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", ...missing }],
  });
  expect(verdict([BOB])).toMatchObject({
    outcome: "fail",
    findings: [{ outcome: "fail", ...missing }],
  });
  expect(verdict([BOB], { op: "new-device" })).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", ...missing }],
  });
  // The other server was told: its clients may hear of it later.
  expect(verdict([BOB], { sent: ["hs3.test"] })).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", what: expect.stringMatching(/, as his server was$/) }],
  });
});

test("only who shared a room before the change of devices and after it has to be told, and federation owes users of one server nothing", () => {
  const federation = SampleFederation.withRoom();
  federation.join("anna", "hs1");
  const [anna, dora] = ["@anna:hs1.test", "@dora:hs3.test"];
  for (const user of [BOB, CHARLIE, anna, dora]) tell(federation, user, []);
  for (const user of [ALICE, dora]) changeDevices(federation, user);
  federation.join("dora", "hs3");
  federation.member(CHARLIE, CHARLIE, "leave");
  federation.deliver();
  const toBob = { server: "hs2.test", user: BOB, changed: [ALICE], left: [] };
  federation.bodies.push({ t: "device-lists", ...toBob });
  federation.observe();
  federation.observe(2);

  expect(verdictOn("device-lists", federation.records(), 2)).toMatchObject({
    outcome: "pass",
    looked: 2,
    findings: [{ outcome: "reported", servers: ["hs1.test"] }],
  });
});

test("an event that the rules reject fails in the state, and is reported in a timeline", () => {
  const story = (where: "nowhere" | "state" | "timeline") => {
    const federation = SampleFederation.withRoom();
    // Bob has no power to do that.
    const id = federation.make(BOB, "m.room.topic", { topic: "t" }, { stateKey: "" });
    federation.take("hs3", id, "send", "rejected");
    tell(federation, CHARLIE, where === "timeline" ? [id] : []);
    federation.observe();
    const change = (body: JournalBody): JournalBody =>
      where === "state" && body.t === "state" && body.server === "hs3.test"
        ? { ...body, state: { ...body.state, "m.room.topic|": id } }
        : body;
    return { id, verdict: verdictOn("rejected-absent", federation.records(change)) };
  };
  const { id, verdict } = story("state");

  expect(story("nowhere").verdict).toMatchObject({ outcome: "pass", findings: [] });
  expect(verdict).toMatchObject({
    outcome: "fail",
    findings: [
      { events: [id], servers: ["hs3.test"], what: expect.stringContaining("event.level") },
    ],
  });
  expect(story("timeline").verdict).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", requirement: "FED.auth.reject-hidden" }],
  });
});

test("a soft-failed event that clients are shown is reported, also when only what came when says it", () => {
  const story = (verdict: "soft_failed" | "unknown", isShown: boolean, laterMs = 10_000) => {
    const federation = SampleFederation.withRoom();
    const ban = federation.member(ALICE, BOB, "ban");
    federation.deliver(["hs3"]);
    const late = federation.message(BOB);
    federation.take("hs3", late, "send", "soft_failed");
    tell(federation, CHARLIE, isShown ? [late] : []);
    federation.observe();
    const records = federation.records((body) =>
      body.t === "arrive" && body.event_id === late && body.server === "hs3.test"
        ? { ...body, verdict }
        : body,
    );
    const banCame = records.find((one) => one.t === "arrive" && one.event_id === ban)?.seq ?? 0;
    const timed = records.map((one) =>
      one.seq > banCame + 3 ? { ...one, at: one.at + laterMs } : one,
    );
    return { late, verdict: verdictOn("soft-failed-hidden", timed) };
  };
  const { late, verdict } = story("soft_failed", true, 0);

  expect(verdict).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", events: [late], requirement: "FED.dag.soft-fail" }],
  });
  expect(story("soft_failed", false).verdict).toMatchObject({ outcome: "pass", findings: [] });
  expect(story("unknown", true).verdict).toMatchObject({ findings: [{ outcome: "reported" }] });
  expect(story("unknown", true, 0).verdict).toMatchObject({ outcome: "skip" });
});
