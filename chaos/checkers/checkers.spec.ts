import { expect, test } from "vitest";
import { JournalView } from "#chaos/journal/view";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { CHECKERS, judge, judgeAll } from "./checkers.ts";

test("each checker has a name of its own and stands on what the suites ask of every server", async () => {
  const { byId } = await loadCatalogue();

  expect(new Set(CHECKERS.map(({ name }) => name)).size).toBe(CHECKERS.length);
  for (const { name, requirement } of CHECKERS) {
    if (requirement === undefined) continue;
    // Of transaction ids the client-server API speaks, of sessions the one of auth services, all else is between servers.
    const suite =
      { "idempotent-txn": "core", "sessions-coherent": "msc3861" }[name] ?? "federation";
    expect([name, byId.get(requirement)?.suite]).toEqual([name, suite]);
  }
});

test("trouble of a checker leaves its verdict open", () => {
  const broken = {
    name: "broken",
    statement: "",
    look: () => {
      throw new RangeError("no such thing");
    },
  };

  expect(judge(broken, new JournalView([]), 1)).toMatchObject({
    outcome: "unknown",
    reason: "the checker broke: no such thing",
  });
});

test("only those are asked that are named", () => {
  const verdicts = judgeAll([], 1, ["state-oracle", "no-lost-event"]);

  expect(verdicts.map(({ checker }) => checker)).toEqual(["state-oracle", "no-lost-event"]);
});
