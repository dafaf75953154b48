/** The real commands on two Synapses with a story of one split and one ban. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHECKERS } from "#chaos/checkers/checkers";
import type { JournalRecord } from "#chaos/journal/record";
import { operationsOf, PLAN_FORMAT, parsePlan } from "#scenarios/plan";
import type { ChaosReport } from "./chaos/report.ts";
import { isAlive, Sandbox } from "./command-process.ts";

/** Two servers start, on a busy machine. */
const PATIENCE = { timeout: 150_000 };

const STORY = {
  format: PLAN_FORMAT,
  id: "split-and-ban",
  title: "a ban on one side of a split",
  servers: 2,
  users: { alice: "hs1", bob: "hs2", mallory: "hs1" },
  rooms: { main: { creator: "alice", rule: "public", members: ["bob", "mallory"], version: "11" } },
  steps: [
    { fault: "refuse", id: "split", links: ["hs1>hs2", "hs2>hs1"], title: "split" },
    { op: "ban", id: "ban", by: "alice", room: "main", target: "mallory" },
    { op: "message", id: "hello", by: "bob", room: "main", client: "twice" },
    { op: "to-device", id: "knock", by: "alice", target: "bob" },
    { heal: "all" },
    { converge: "nudged" },
  ],
};

function tell(sandbox: Sandbox, story: unknown, ...flags: readonly string[]) {
  const corpus = sandbox.path("corpus");
  mkdirSync(corpus);
  writeFileSync(sandbox.path("corpus", "story.json"), JSON.stringify(story));
  const out = sandbox.path("run");
  const given = ["--servers", "2", "--duration", "1", "--corpus", corpus, "--out", out, "--json"];
  return sandbox.crucible("chaos", ...given, ...flags);
}

test(
  "a split heals, every checker says so, and the journal has all that was seen",
  PATIENCE,
  async () => {
    using sandbox = new Sandbox();

    const { code, stdout, stderr } = await tell(sandbox, STORY);

    const report = JSON.parse(stdout) as ChaosReport;
    const failures = report.checkers.filter(({ outcome }) => outcome === "fail");
    expect(failures).toEqual([]);
    expect({ code, troubles: report.troubles }, stderr).toEqual({ code: 0, troubles: [] });
    expect(report.checkers).toHaveLength(CHECKERS.length);
    expect(report.operations).toEqual({ ok: 3, fail: 0, unknown: 0 });
    expect(report.faults).toContainEqual({ fault: "refuse", times: 1, fired: expect.any(Number) });
    const lines = readFileSync(report.journals[0] ?? "", "utf8")
      .trimEnd()
      .split("\n");
    const records = lines.map((line) => JSON.parse(line) as JournalRecord);
    expect(records.slice(0, 3).map(({ t }) => t)).toEqual(["meta", "plan", "cast"]);
    const kinds = new Set(records.map(({ t }) => t));
    const seen = ["server", "step", "fault", "pdu", "arrive", "http", "state", "event", "members"];
    const told = ["sync", "view", "to-device", "recovery", "verdict"];
    expect([...seen, ...told].filter((kind) => !kinds.has(kind as JournalRecord["t"]))).toEqual([]);
    const resolved = await sandbox.crucible("resolve", report.journals[0] ?? "", "--json");
    expect(resolved.code).toBe(0);
    const [{ state } = { state: {} }] = JSON.parse(resolved.stdout);
    const last = records.findLast(({ t }) => t === "state");
    expect(last?.t === "state" ? state : undefined).toEqual(last?.t === "state" ? last.state : {});
  },
);

test(
  "an interrupt ends it with 130, a journal that can be read, and nothing left behind",
  PATIENCE,
  async () => {
    using sandbox = new Sandbox();
    const out = sandbox.path("run");
    const run = sandbox.start(
      "chaos",
      "--servers",
      "2",
      "--duration",
      "60",
      "--out",
      out,
      "--json",
    );
    await run.remarks(/epoch 1:/);
    const processes = sandbox.startedProcesses();

    run.signal("SIGINT");
    const { code, stdout, stderr } = await run.ended;

    expect(code, stderr).toBe(130);
    const { journals } = JSON.parse(stdout) as ChaosReport;
    expect(journals).toHaveLength(1);
    const resolved = await sandbox.crucible("resolve", journals[0] ?? "");
    expect(resolved.code, resolved.stderr).toBe(0);
    expect(processes.length).toBeGreaterThan(1);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(sandbox.workFolders()).toEqual([]);
  },
);

test(
  "a server that is never told of a ban is found, and the story made small",
  PATIENCE,
  async () => {
    using sandbox = new Sandbox();

    const kept = STORY.steps.filter(
      ({ op, converge }) => op === "ban" || op === "message" || converge,
    );
    const story = { ...STORY, steps: kept };

    const { code, stdout, stderr } = await tell(sandbox, story, "--mutant", "hide-ban");

    const { failure } = JSON.parse(stdout) as ChaosReport;
    expect(code, stderr).toBe(1);
    // What else is found depends on whom the servers hear first.
    expect(failure?.checkers).toContain("no-lost-event");
    const file = failure?.shrunk?.plan ?? "";
    const smallest = parsePlan(JSON.parse(readFileSync(file, "utf8")), file);
    expect(operationsOf(smallest).map(({ op }) => op)).toEqual(["ban"]);
    const room = failure?.shrunk?.rooms.find(({ checker }) => checker === "no-lost-event");
    expect(room).toMatchObject({ matter: "server", room: "main" });
    expect((await sandbox.crucible("resolve", room?.file ?? "")).code).toBe(0);
  },
);

/** So do their auth services. */
const MORE_PATIENCE = { timeout: 2 * PATIENCE.timeout };

const SIGN_INS = {
  ...STORY,
  id: "auth-dies",
  title: "an auth service that dies as it tells its homeserver of a device, and for a while",
  auth: true,
  steps: [
    { op: "sign-in", id: "phone", by: "alice" },
    { op: "sign-in", id: "laptop", by: "mallory" },
    {
      fault: "kill-caller",
      id: "dies",
      links: ["as1>hs1"],
      path: "/_synapse/mas/upsert_device",
      times: 1,
    },
    { op: "sign-in", id: "tablet", by: "alice" },
    { heal: ["dies"] },
    { server: "as1", action: "kill" },
    { op: "refresh", id: "again", by: "alice" },
    { op: "sign-out", id: "leave", by: "mallory" },
    { server: "as1", action: "start" },
    { converge: "nudged" },
  ],
};

test.each([
  { mutant: undefined, code: 0, found: [] },
  { mutant: "keep-device", code: 1, found: ["MSC3861.chaos.killed-in-exchange"] },
])(
  "an auth service dies, and what is left of sign-ins fits together: mutant $mutant",
  MORE_PATIENCE,
  async ({ mutant, code: expected, found }) => {
    using sandbox = new Sandbox();
    const flags = ["--auth", "oidc", "--no-shrink", ...(mutant ? ["--mutant", mutant] : [])];

    const { code, stdout, stderr } = await tell(sandbox, SIGN_INS, ...flags);

    expect(code, stderr).toBe(expected);
    const { checkers, faults, operations } = JSON.parse(stdout) as ChaosReport;
    const coherent = checkers.find(({ checker }) => checker === "sessions-coherent");
    expect(coherent?.outcome).toBe(expected === 0 ? "pass" : "fail");
    expect([...new Set(coherent?.findings.map(({ requirement }) => requirement))]).toEqual(found);
    expect(operations).toEqual({ ok: 2, fail: 0, unknown: 3 });
    const acted = ["kill-caller-auth", "kill-auth"].map((name) =>
      faults.find((one) => one.fault === name),
    );
    expect(acted).toEqual([
      expect.objectContaining({ fired: 1 }),
      expect.objectContaining({ fired: 1 }),
    ]);
  },
);
