import { expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import {
  type CheckResult,
  type Evidence,
  IN_ALL_ANSWERS,
  type Outcome,
} from "#harness/results/outcome";
import { recallData, recallMarkdown, renderRecall } from "#reports/render/recall";
import type { Bug, Sight } from "./bugs.ts";
import { groupBugs } from "./groups.ts";
import { type GroupResults, judgeRecall as judgeBy, type Verdict } from "./judge.ts";

const OLD = "1.136.0";
const NEW = "1.163.2";
const ID = "CS.login.flows";
const TITLE = "the server does";
const REQUIREMENTS = new Map([[ID, { id: ID, sensitive: false } as Requirement]]);

const judgeRecall = (bugs: readonly Bug[], groups: ReadonlyMap<string, GroupResults>) =>
  judgeBy(bugs, groups, REQUIREMENTS);

function bug(more: Partial<Bug> = {}): Bug {
  return {
    id: "ROOM-1",
    symptom: "it breaks",
    suite: "rooms",
    fix: "somewhere#1",
    fixed_in: "1.144.0",
    affected: OLD,
    fixed: NEW,
    requirements: [sight()],
    sqlite_one_machine: "yes",
    line: 1,
    ...more,
  };
}

function sight(more: Partial<Sight> = {}): Sight {
  return { id: ID, as: "fail", ...more };
}

function result(outcome: Outcome, reason?: string, check = TITLE): CheckResult {
  return {
    kind: "check",
    deployment: "synapse",
    suite: "core",
    requirement: ID,
    level: "MUST",
    check,
    outcome,
    durationMs: 1,
    ...(reason === undefined ? {} : { reason }),
  };
}

function group(results: readonly CheckResult[], evidence: readonly Evidence[] = []): GroupResults {
  return [{ results, evidence }];
}

function judge(one: Bug, old: readonly CheckResult[], now: readonly CheckResult[]) {
  const judged = judgeRecall(
    [one],
    new Map([
      [OLD, group(old)],
      [NEW, group(now)],
    ]),
  );
  return { ...judged, first: judged.bugs[0] };
}

test.each<[Outcome, Outcome, Verdict, number]>([
  ["fail", "pass", "caught", 0],
  ["pass", "pass", "missed", 1],
  ["fail", "fail", "false-alarm", 1],
  ["pass", "fail", "false-alarm", 1],
  ["error", "fail", "false-alarm", 1],
  ["skip", "pass", "unsupported", 1],
  ["fail", "skip", "unsupported", 1],
  ["error", "pass", "error", 3],
  ["fail", "error", "error", 3],
  ["not-run", "pass", "not-run", 4],
])("%s where the bug is and %s where it is mended is %s", (before, after, verdict, exitCode) => {
  const judged = judge(bug(), [result(before)], [result(after)]);

  expect(judged.first?.verdict).toBe(verdict);
  expect(judged.exitCode).toBe(exitCode);
});

test("a bug whose releases did not run is not run", () => {
  const { bugs, exitCode } = judgeRecall([bug()], new Map());

  expect(bugs[0]).toMatchObject({ verdict: "not-run", why: "its checks did not run" });
  expect(exitCode).toBe(4);
});

test("half of a pair is no verdict", () => {
  expect(judge(bug(), [result("fail")], []).first).toMatchObject({
    verdict: "not-run",
    why: `did not run on ${NEW}`,
  });
});

test("another failure of the check is not the bug", () => {
  const one = bug({ requirements: [sight({ match: "got 500" })] });

  const other = judge(one, [result("fail", "expected 400, got 401")], [result("pass")]);
  const same = judge(one, [result("fail", "expected 400, got 500")], [result("pass")]);

  expect(other.first).toMatchObject({
    verdict: "missed",
    why: `fails on ${OLD}, but not as the bug does: expected 400, got 401`,
  });
  expect(same.first?.verdict).toBe("caught");
});

test("a check that fails in another way where the bug is mended is a false alarm all the same", () => {
  const one = bug({ requirements: [sight({ match: "got 500" })] });

  const judged = judge(one, [result("fail", "got 500")], [result("fail", "got 401")]);

  expect(judged.first?.verdict).toBe("false-alarm");
});

test("the text is looked for in the evidence, since results of sensitive requirements withhold it", () => {
  const one = bug({ requirements: [sight({ match: "got 200" })] });
  const evidence = {
    deployment: "synapse",
    requirement: ID,
    check: TITLE,
    message: "expected 401, got 200",
    exchanges: [],
  };

  const judged = judgeRecall(
    [one],
    new Map([
      [OLD, group([result("fail", "withheld")], [evidence])],
      [NEW, group([result("pass")])],
    ]),
  );

  expect(judged.bugs[0]?.verdict).toBe("caught");
  expect(JSON.stringify(recallData(judged)) + recallMarkdown(judged)).not.toContain("got 200");
});

test("a server that does not start may be what the bug does", () => {
  const one = bug({ requirements: [sight({ as: "error", match: "ConfigError" })] });

  const caught = judge(one, [result("error", "hs1 ended: ConfigError")], [result("pass")]);
  const otherwise = judge(one, [result("error", "hs1 took too long")], [result("pass")]);

  expect(caught.first?.verdict).toBe("caught");
  expect(otherwise.first?.verdict).toBe("error");
});

test("one check that sees the bug is enough, and one that cries wolf too much", () => {
  const results = (second: Outcome) => [result("pass"), result(second, undefined, "another")];

  const caught = judge(bug(), results("fail"), results("pass"));
  const alarm = judge(
    bug(),
    [result("fail"), result("pass", undefined, "another")],
    [result("pass"), result("fail", undefined, "another")],
  );

  expect(caught.first).toMatchObject({ verdict: "caught", checks: [{ check: "another" }, {}] });
  expect(alarm.first?.verdict).toBe("false-alarm");
});

test("only the check that is named decides", () => {
  const one = bug({ requirements: [sight({ check: TITLE })] });

  const judged = judge(
    one,
    [result("fail")],
    [result("pass"), result("fail", undefined, "another")],
  );

  expect(judged.first?.verdict).toBe("caught");
});

test("trouble of one run is made good by another", () => {
  const again = judge(bug(), [result("error"), result("fail")], [result("pass"), result("error")]);

  expect(again.first?.verdict).toBe("caught");
});

test("a missed bug with a reason is as expected", () => {
  const missed = "the server answers the same";

  const judged = judge(bug({ missed }), [result("pass")], [result("pass")]);
  const without = judgeRecall([bug({ missed, requirements: [] })], new Map());

  expect(judged.exitCode).toBe(0);
  expect(judged.first?.why).toBe(missed);
  expect(without).toMatchObject({ exitCode: 0, counts: { missed: 1 } });
});

test("recall counts what one machine can show, by suite", () => {
  const bugs = [
    bug(),
    bug({ id: "ROOM-2", requirements: [] }),
    bug({ id: "SS-1", suite: "sliding-sync", sqlite_one_machine: { no: "takes a cluster" } }),
  ];

  const judged = judgeRecall(
    bugs,
    new Map([
      [OLD, group([result("fail")])],
      [NEW, group([result("pass")])],
    ]),
  );

  expect(judged.suites).toEqual([
    { suite: "rooms", caught: 1, runnable: 2, falseAlarms: 0 },
    { suite: "sliding-sync", caught: 0, runnable: 0, falseAlarms: 0 },
  ]);
  expect(judged.total).toMatchObject({ caught: 1, runnable: 2 });
  const text = renderRecall(judged, { colour: false });
  expect(text).toContain("rooms         1 of 2 caught (50 %)");
  expect(text).toContain("takes a cluster");
  expect(text).toContain("add a check that sees it");
  expect(recallMarkdown(judged)).toContain("| sliding-sync | 0 | 0 | none can run | 0 |");
});

test("what servers say does no harm in a report", () => {
  const hostile = "\u001b[2J<script>|x|`\u202e";

  const judged = judge(bug(), [result("fail", hostile)], [result("fail", hostile)]);

  const texts = [renderRecall(judged, { colour: false }), recallMarkdown(judged)];
  for (const text of texts) expect(text).not.toMatch(/\u001b|\u202e/);
  expect(texts[1]).not.toContain("<script>");
});

test("each release starts once, unless bugs need settings of their own", () => {
  const groups = groupBugs([
    bug(),
    bug({ id: "ROOM-2", requirements: [sight(), sight({ id: "CS.login.password" })] }),
    bug({ id: "ROOM-3", deployment: { auth: "oidc", options: { database: "postgres" } } }),
    bug({ id: "ROOM-4", sqlite_one_machine: { no: "reason" } }),
    bug({ id: "ROOM-5", affected: "1.9.0" }),
  ]);

  expect(groups.map(({ name, ids }) => [name, ids.length])).toEqual([
    ["1.9.0", 1],
    [OLD, 2],
    [`${OLD},auth=oidc,database=postgres`, 1],
    [NEW, 2],
    [`${NEW},auth=oidc,database=postgres`, 1],
  ]);
  expect(groups[1]).toMatchObject({ affected: ["ROOM-1", "ROOM-2"], fixed: [] });
  expect(groups[3]).toMatchObject({ affected: [], fixed: ["ROOM-1", "ROOM-2", "ROOM-5"] });
});

test("only the releases that are named are started", () => {
  expect(groupBugs([bug()], { versions: [NEW] }).map(({ name }) => name)).toEqual([NEW]);
});

test("a failure is looked up in the evidence of its own run", () => {
  const one = bug({ requirements: [sight({ match: "got 500" })] });
  const told = (message: string): Evidence => ({
    ...{ deployment: "synapse", requirement: ID, check: TITLE },
    ...{ message, exchanges: [] },
  });
  const judged = (...messages: readonly [string, string]) =>
    judgeRecall(
      [one],
      new Map([
        [
          OLD,
          [
            { results: [result("fail")], evidence: [told(messages[0])] },
            { results: [result("error")], evidence: [told(messages[1])] },
          ],
        ],
        [NEW, group([result("pass")])],
      ]),
    ).bugs[0]?.verdict;

  expect(judged("got 401", "got 500")).toBe("missed");
  expect(judged("got 500", "it died")).toBe("caught");
});

test("a rule that is kept in all answers where the bug is mended leaves no result there", () => {
  const rule = bug({ requirements: [sight({ check: IN_ALL_ANSWERS })] });

  const kept = judge(
    rule,
    [result("pass"), result("fail", "broken", IN_ALL_ANSWERS)],
    [result("pass")],
  );
  const unwatched = judge(rule, [result("fail", "broken", IN_ALL_ANSWERS)], []);

  expect(kept.first?.verdict).toBe("caught");
  expect(unwatched.first?.verdict).toBe("not-run");
});
