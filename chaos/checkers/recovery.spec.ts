/** Checkers of how servers come back: backoff-bounded, extremities-bounded, restart-same, idempotent-txn. */
import { expect, test } from "vitest";
import type { JournalBody, JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { judgeAll } from "./checkers.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";

function verdictOn(checker: string, records: readonly JournalRecord[]) {
  return judgeAll(records, 1, [checker])[0];
}

test("servers that never agree fail when nudged, and are reported when nobody nudged", () => {
  const story = (ms: number | null, mode: "nudged" | "silent" = "nudged", isLost = true) => {
    const federation = SampleFederation.withRoom();
    federation.message(BOB);
    federation.deliver(isLost ? ["hs1"] : ["hs1", "hs3"]);
    federation.observe(1, mode);
    const missing = ["room: hs1 and hs3 have other forward extremities"];
    const records = federation.records((body) =>
      body.t === "recovery" ? { ...body, ms, missing } : body,
    );
    return verdictOn("backoff-bounded", records);
  };

  expect(story(400, "nudged", false)).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  expect(story(null)).toMatchObject({
    outcome: "fail",
    findings: [{ requirement: "FED.chaos.catch-up-nudged", matter: "server" }],
  });
  expect(story(31_000, "nudged", false)).toMatchObject({ outcome: "fail" });
  expect(story(null, "silent")).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", requirement: "FED.chaos.catch-up-silent" }],
  });
});

test("when servers never agree, what each has got decides who can do something about it", () => {
  const apart = ["room: hs1 and hs3 have other forward extremities"];
  const story = (
    federation: SampleFederation,
    change?: (body: JournalBody) => JournalBody,
    missing: readonly string[] = apart,
  ) => {
    const records = federation.records((body) =>
      body.t === "recovery" ? { ...body, ms: null, missing } : (change?.(body) ?? body),
    );
    return verdictOn("backoff-bounded", records);
  };
  const atRest = SampleFederation.withRoom();
  atRest.observe();
  const isOfHs3 = (body: JournalBody) => body.t === "state" && body.server === "hs3.test";
  const torn = SampleFederation.torn();
  const join = torn.state("hs3")[`m.room.member|${CHARLIE}`];

  // All have all, and so is the state: only extremities differ, by an event that one may refuse.
  expect(story(atRest)).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", matter: "protocol" }],
  });
  expect(story(torn)).toMatchObject({
    outcome: "known-protocol-reset",
    findings: [{ matter: "protocol", class: "D", room: torn.roomId, events: [join] }],
  });
  // One of which nothing is known is not among those that have all.
  expect(story(atRest, undefined, [...apart, "other: hs1 gives no answer"])).toMatchObject({
    outcome: "unknown",
    findings: [{ what: expect.stringContaining("hs1 gives no answer") }],
  });
  // Nothing excuses what was not even looked at.
  const unseen = atRest.records((body) => (body.t === "state" ? null : body));
  const never = unseen.map((one) => (one.t === "recovery" ? { ...one, ms: null } : one));
  expect(verdictOn("backoff-bounded", never)).toMatchObject({ outcome: "fail" });
  expect(
    story(atRest, (body) => (isOfHs3(body) ? { ...body, extremities: [] } : body)),
  ).toMatchObject({ outcome: "unknown" });
  // That is for other checkers to fail.
  expect(story(atRest, (body) => (isOfHs3(body) ? { ...body, state: {} } : body))).toMatchObject({
    outcome: "pass",
    findings: [{ outcome: "reported", matter: "server", requirement: "FED.chaos.state-oracle" }],
  });
});

test("more than ten forward extremities are reported", () => {
  const story = (count: number) => {
    const federation = SampleFederation.withRoom();
    const prev = federation.extremities("hs1");
    for (let at = 0; at < count; at++) federation.message(CHARLIE, `${at}`, { prev });
    federation.deliver();
    federation.observe();
    return verdictOn("extremities-bounded", federation.records());
  };

  expect(story(10)).toMatchObject({ outcome: "pass", looked: 3, findings: [] });
  expect(story(11)).toMatchObject({
    outcome: "pass",
    findings: Array(3).fill(expect.objectContaining({ outcome: "reported" })),
  });
});

test("a server that comes back with more passes, with less or with another state fails", () => {
  const story = (after: "more" | "same" | "less" | "other", isShown = true) => {
    const federation = SampleFederation.withRoom();
    const before = federation.extremities("hs2");
    const id = federation.message(BOB);
    const topic = federation.send(ALICE, "m.room.topic", { topic: "t" }, { stateKey: "" });
    federation.look("hs2", "before-restart");
    if (after === "more") federation.deliver(["hs2"]);
    federation.look("hs2", "after-restart", {
      ...(after === "less" ? { extremities: before } : {}),
      ...(after === "other"
        ? { state: { ...federation.state("hs2"), "m.room.topic|": topic } }
        : {}),
    });
    const records = federation.records((body) =>
      body.t === "pdu" && body.pdu.type === "m.room.power_levels" && !isShown ? null : body,
    );
    return { id, verdict: verdictOn("restart-same", records) };
  };
  const { id, verdict } = story("less");

  expect(story("same").verdict).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  expect(story("more").verdict).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  expect(verdict).toMatchObject({
    outcome: "fail",
    findings: [{ servers: ["hs2.test"], events: [id], requirement: "FED.chaos.kill-durability" }],
  });
  expect(story("other").verdict).toMatchObject({
    outcome: "fail",
    findings: [{ what: "hs2 comes back with another state: 1 key: m.room.topic|" }],
  });
  // That takes no oracle.
  expect(story("other", false).verdict).toMatchObject({ outcome: "fail" });
});

test("a server whose extremities nobody was shown has what the rules give for all that came to it", () => {
  const story = (isOther: boolean) => {
    const federation = SampleFederation.withRoom();
    const older = federation.send(ALICE, "m.room.topic", { topic: "1" }, { stateKey: "" });
    federation.deliver();
    federation.look("hs2", "before-restart");
    federation.send(ALICE, "m.room.topic", { topic: "2" }, { stateKey: "" });
    federation.send(ALICE, "m.room.name", { name: "2" }, { stateKey: "" });
    federation.deliver();
    const state = federation.state("hs2");
    federation.send(ALICE, "m.room.topic", { topic: "of hs1 alone" }, { stateKey: "" });
    federation.look("hs2", "after-restart", {
      extremities: [],
      state: isOther ? { ...state, "m.room.topic|": older } : state,
    });
    federation.send(BOB, "x.later", {}, { stateKey: BOB });
    return verdictOn("restart-same", federation.records());
  };

  expect(story(false)).toMatchObject({ outcome: "pass", findings: [] });
  expect(story(true)).toMatchObject({ outcome: "unknown" });
});

test("what came since a restart explains no state that the rules do not give, and what nobody knows nothing", () => {
  const story = (was: readonly string[] | undefined, is: readonly string[] | undefined) => {
    const federation = SampleFederation.withRoom();
    federation.look("hs2", "before-restart", was === undefined ? {} : { extremities: was });
    federation.message(ALICE);
    federation.deliver();
    federation.look("hs2", "after-restart", {
      ...(is === undefined ? {} : { extremities: is }),
      state: { ...federation.state("hs2"), "m.room.topic|": "$nowhere" },
    });
    return verdictOn("restart-same", federation.records());
  };

  expect(story(undefined, undefined)).toMatchObject({
    outcome: "fail",
    findings: [{ requirement: "FED.chaos.state-oracle", servers: ["hs2.test"] }],
  });
  expect(story(["$unseen"], undefined)).toMatchObject({
    findings: [{ requirement: "FED.chaos.state-oracle" }],
  });
  expect(story([], [])).toMatchObject({ outcome: "unknown" });
});

test("what is followed by an event that has come and was shown to nobody is not missed", () => {
  const federation = SampleFederation.withRoom();
  const before = federation.extremities("hs2");
  federation.message(ALICE);
  federation.deliver(["hs2"]);
  federation.look("hs2", "before-restart");
  federation.message(ALICE);
  federation.deliver(["hs2"]);
  federation.look("hs2", "after-restart", { extremities: before });

  expect(verdictOn("restart-same", federation.records())).toMatchObject({
    outcome: "pass",
    looked: 1,
  });
});

test("a restart is looked at once, in its epoch", () => {
  const federation = SampleFederation.withRoom();
  federation.look("hs2", "before-restart");
  const wrong = { state: { ...federation.state("hs2"), "m.room.topic|": "$nowhere" } };
  federation.look("hs2", "after-restart", wrong);
  federation.look("hs2", "after-restart", wrong);
  federation.observe();
  federation.observe(2);

  expect(verdictOn("restart-same", federation.records())).toMatchObject({
    outcome: "fail",
    looked: 1,
  });
  expect(judgeAll(federation.records(), 2, ["restart-same"])).toMatchObject([{ outcome: "skip" }]);
});

test("a change that makes an event in each room has several, and its transaction id counts for nothing", () => {
  const federation = SampleFederation.withRoom();
  federation.message(BOB);
  federation.observe();
  const records = federation.records((body) =>
    body.t === "step" && body.op === "message"
      ? { ...body, op: "displayname", txn: "t1", events: ["$here", "$there"] }
      : body,
  );

  expect(verdictOn("idempotent-txn", records)).toMatchObject({ outcome: "skip" });
});

test("one transaction id gives one event id, however often it is sent", () => {
  const story = (...answers: readonly string[]) => {
    const federation = SampleFederation.withRoom();
    federation.message(BOB);
    federation.observe();
    const records = federation.records((body) =>
      body.t === "step" && body.op === "message" ? { ...body, txn: "t1", answers } : body,
    );
    return verdictOn("idempotent-txn", records);
  };

  expect(story("$one", "$one")).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  expect(story("$one")).toMatchObject({ outcome: "skip" });
  expect(story("$one", "$two")).toMatchObject({
    outcome: "fail",
    findings: [{ events: ["$one", "$two"], servers: ["hs2.test"] }],
  });
});
