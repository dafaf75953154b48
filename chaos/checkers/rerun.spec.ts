import { expect, test } from "vitest";
import type { JournalRecord } from "#chaos/journal/record";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { JournalView } from "#chaos/journal/view";
import { parseDagFile } from "#protocol/dag/dag-file";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import { judgeAll } from "./checkers.ts";
import { rerunAll } from "./rerun.ts";

const ALICE = "@alice:hs1.test";
const BOB = "@bob:hs2.test";
const CHARLIE = "@charlie:hs3.test";

function rerun(checker: string, records: readonly JournalRecord[]) {
  const view = new JournalView(records);
  return rerunAll(view, 1, judgeAll(records, 1, [checker]));
}

const name = (id: string) => id.slice(1);

/** Bob and then alice set the rule, while charlie says something that knows of the first only. */
function olderWins(): { federation: SampleFederation; older: string; lost: string } {
  const federation = SampleFederation.withRoom("11");
  const users = { [ALICE]: 100, [BOB]: 50 };
  federation.send(ALICE, "m.room.power_levels", { users }, { stateKey: "" });
  federation.deliver();
  const rule = (user: string, join_rule: string) =>
    federation.send(user, "m.room.join_rules", { join_rule }, { stateKey: "" });
  const older = rule(BOB, "knock");
  federation.deliver();
  const lost = rule(ALICE, "invite");
  federation.deliver(["hs2"]);
  federation.message(CHARLIE);
  for (const role of ["hs1", "hs2"]) federation.look(role);
  federation.deliver();
  federation.observe();
  return { federation, older, lost };
}

test("a reset that the rules alone come to is a matter of the protocol, and its states are in the file", () => {
  const { federation, older, lost } = olderWins();

  const [found, ...others] = rerun("no-state-reset", federation.records());

  expect(others).toEqual([]);
  expect(found).toMatchObject({ room: "room", checker: "no-state-reset", matter: "protocol" });
  if (found === undefined) return expect.unreachable();
  const file = parseDagFile(JSON.parse(JSON.stringify(writeDagFile(found.dag))));
  const rules = file.stateSets.map((set) => set["m.room.join_rules|"]);
  expect(rules.sort()).toEqual([name(older), name(lost)].sort());
  expect(file.expected.get("11")).toMatchObject({ "m.room.join_rules|": name(older) });
});

test("a state that the rules do not give is a matter of the server", () => {
  const { federation, lost } = olderWins();
  const records = federation.records((body) =>
    body.t === "state" && body.moment === "quiescent" && body.server === "hs3.test"
      ? { ...body, state: { ...body.state, "m.room.join_rules|": lost } }
      : body,
  );

  const [found] = rerun("state-oracle", records);

  expect(found).toMatchObject({
    matter: "server",
    why: "by the rules alone hs3 has another state in 1 key: m.room.join_rules|",
  });
  expect(found?.dag.stateSets).toHaveLength(2);
});

test("servers that stay apart with what each should have are a matter of the protocol", () => {
  const federation = SampleFederation.torn();
  const records = federation.records((body) =>
    body.t === "recovery" ? { ...body, ms: null } : body,
  );

  expect(rerun("backoff-bounded", records)).toMatchObject([{ room: "room", matter: "protocol" }]);
});

test("nothing is told of rooms of which nothing was found", () => {
  const federation = SampleFederation.withRoom();
  federation.observe();

  expect(rerun("state-converged", federation.records())).toEqual([]);
});
