/** `crucible tardis compare` and `shrink`, as people call them. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { loadRun } from "#tardis/formats/load";
import { compare } from "#tardis/view/compare";
import { Session } from "#tardis/view/session";

const ROOT = path.resolve(import.meta.dirname, "../..");
const RESET = path.join(ROOT, "tardis/examples/reset-class-a.json5");
const WEAKER = path.join(ROOT, "tardis/examples/bob-wins-by-being-weaker.json5");
const JOURNAL = path.join(import.meta.dirname, "browser/fixtures/hidden-ban.replay.ndjson");
const CHARLIE = "m.room.member|@charlie:three.test";
const TIMEOUT_MS = 120_000;

async function sessionOf(file: string): Promise<Session> {
  return Session.of(await loadRun([{ name: file, text: readFileSync(file, "utf8") }]));
}

test(
  "compare tells what the page's pane does: versions, and what servers told",
  async () => {
    using sandbox = new Sandbox();
    const [versions, servers, text] = await Promise.all([
      sandbox.crucible("tardis", "compare", RESET, "--at", "$MERGE", "--sides", "11, 12", "--json"),
      sandbox.crucible("tardis", "compare", JOURNAL, "--json"),
      sandbox.crucible("tardis", "compare", RESET, "--at", "$MERGE", "--sides", "11,12"),
    ]);

    expect(JSON.parse(versions.stdout)).toMatchObject({
      rows: [{ key: CHARLIE, isDiffering: true, values: [{ text: "$CHARLIE" }, { text: "$BAN" }] }],
      same: 5,
      key: CHARLIE,
    });
    for (const [file, { stdout, code }, cmp] of [
      [RESET, versions, "11,12"],
      [JOURNAL, servers, ""],
    ] as const) {
      const told = JSON.parse(stdout);
      const session = await sessionOf(file);
      const view = compare(session, { row: session.rowOf(told.at), cmp, key: undefined });
      const { sides, isAll, same, key, why } = view;
      expect(told).toMatchObject({ sides, isAll, same, key, why });
      expect(told.rows.map(({ key: one }: { key: string }) => one)).toEqual(
        view.rows.map(({ key: one }) => one),
      );
      expect(code).toBe(0);
    }
    expect(text.stdout).toMatch(
      / {2}A {2}11: version 11 \(v2\)\n {2}B {2}12: version 12 \(v2\.1\)/,
    );
    expect(text.stdout).toMatch(/@charlie:three\.test\n {2}A {2}\$CHARLIE\n {2}B {2}\$BAN\n5 keys/);
    expect(text.stdout).toContain(
      "why: the membership of @charlie:three.test\n\nversion 11 (v2)\n",
    );
  },
  TIMEOUT_MS,
);

test(
  "a smaller room has the same winner, or the same difference, and says what it expects",
  async () => {
    using sandbox = new Sandbox();
    const [small, changed] = [sandbox.path("small.json5"), sandbox.path("changed.replay.ndjson")];
    const common = ["tardis", "shrink", WEAKER, "--at", "$MERGE", "--key", "m.room.join_rules"];
    const level = JSON.stringify([{ kind: "level", event: "$BOB_JR", level: 100 }]);

    const [winner, edited] = await Promise.all([
      sandbox.crucible(...common, "--json", "-o", small),
      sandbox.crucible(...common, "--edits", level, "-o", changed),
    ]);

    const told = JSON.parse(winner.stdout);
    expect(told).toMatchObject({ key: "m.room.join_rules|", isDone: true, output: small });
    expect(told.out).toContain("$CHARLIE");
    expect(told.left).toBe(told.events - told.out.length);
    const checked = await sandbox.crucible("tardis", "check", small, changed, "--json");
    expect(checked.code, checked.stdout).toBe(0);
    expect(JSON.parse(checked.stdout)[0]).toMatchObject({ events: told.left, isOk: true });
    const session = await sessionOf(small);
    const merge = session.run.pdus.findIndex(({ name }) => name === "$MERGE");
    const { rows } = session.state({ row: merge, server: undefined, base: undefined });
    expect(rows.find(({ key }) => key === "m.room.join_rules|")).toMatchObject({
      event: { short: "$BOB_JR" },
      expected: { isMet: true },
    });
    expect(edited.stderr).toMatch(/^\d of \d+ events left, no single one can go; \d+ rooms tried/m);
    const after = await sessionOf(changed);
    const last = after.run.pdus.findIndex(({ name }) => name === "$MERGE");
    const state = after.state({ row: last, server: undefined, base: undefined });
    expect(state.rows.find(({ key }) => key === "m.room.join_rules|")?.event?.short).toBe(
      "$ADA_JR",
    );
  },
  TIMEOUT_MS,
);

/** So many branches set the topic, and none of them can go without a topic that had lost. */
function manyTopics(count: number): string {
  const event = (id: string, depth: number, more: object) => ({
    event_id: id,
    sender: "@ada:one.test",
    depth,
    origin_server_ts: 1_750_000_000_000 + depth,
    auth_events: ["$CREATE", "$ADA"],
    ...more,
  });
  const member = { type: "m.room.member", state_key: "@ada:one.test" };
  const topics = Array.from({ length: count }, (_, at) => `$TOPIC_${at}`);
  return JSON.stringify({
    tardis_version: 1,
    room_version: "11",
    room_id: "!topics:one.test",
    calculate_event_ids: true,
    events: [
      event("$CREATE", 1, {
        type: "m.room.create",
        state_key: "",
        content: { room_version: "11" },
        prev_events: [],
        auth_events: [],
      }),
      event("$ADA", 2, {
        ...member,
        content: { membership: "join" },
        prev_events: ["$CREATE"],
        auth_events: ["$CREATE"],
      }),
      ...topics.map((id, at) =>
        event(id, 3, {
          type: "m.room.topic",
          state_key: "",
          content: { topic: id },
          // Else all would have one id.
          origin_server_ts: 1_750_000_001_000 + at,
          prev_events: ["$ADA"],
        }),
      ),
      event("$MERGE", 4, { type: "m.room.message", content: { body: "" }, prev_events: topics }),
    ],
  });
}

test(
  "Ctrl-C writes the smallest room so far, and ends with 130",
  async () => {
    using sandbox = new Sandbox();
    const [room, small] = [sandbox.path("topics.json5"), sandbox.path("small.json5")];
    writeFileSync(room, manyTopics(300));

    const command = sandbox.start(
      ...["tardis", "shrink", room, "--at", "$MERGE", "--key", "m.room.topic", "-o", small],
    );
    await command.remarks(/303 events left, \d+ rooms tried/);
    command.signal("SIGINT");
    const { code, stderr } = await command.ended;

    expect(stderr).toMatch(
      /303 of 303 events left, stopped: more may go; \d+ rooms tried, written/,
    );
    expect(code).toBe(130);
    const checked = await sandbox.crucible("tardis", "check", small, "--json");
    expect(JSON.parse(checked.stdout)).toMatchObject([{ events: 303, expected: 1, isOk: true }]);
  },
  TIMEOUT_MS,
);

test.each([
  [
    ["compare", RESET, "--sides", "11,told:four.test"],
    "there is no side told:four.test here",
    "next:",
  ],
  [["shrink", RESET], "required option '--key", "crucible tardis shrink --help"],
  [["shrink", RESET, "--key", "m.room.topic", "--seconds", "soon"], "--seconds is soon", "above 0"],
  [
    ["shrink", RESET, "--key", CHARLIE, "--edits", '[{"kind":"drop","event":"$MERGE"}]'],
    "the edits take away the event",
    "--at with another event",
  ],
  [
    ["shrink", RESET, "--key", "m.room.join_rules", "--edits", '[{"kind":"drop","event":"$BAN"}]'],
    "the edits change nothing of join rules here",
    "next:",
  ],
  [["shrink", RESET, "--key", CHARLIE, "--versions", "11,99"], "no room version 99", "mean 9?"],
])(
  "%j is refused",
  async (args, what, next) => {
    using sandbox = new Sandbox();
    const { code, stderr } = await sandbox.crucible("tardis", ...args);
    expect(stderr).toContain(what);
    expect(stderr).toContain(next);
    expect(code).toBe(2);
  },
  TIMEOUT_MS,
);
