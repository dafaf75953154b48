import { expect, test } from "vitest";
import { CheckFailure, HarnessError } from "#harness/errors";
import { type CheckBody, Checker, type CheckOptions } from "./check.ts";
import { type Control, serveControl } from "./control.ts";
import type { RunInfo } from "./run-info.ts";

/** A homeserver and its auth service, which are never asked. */
const DEPLOYMENT: RunInfo["deployment"] = {
  id: "main",
  name: "spec",
  topology: "one",
  isUniform: true,
  features: [],
  appservice: { id: "", asToken: "", hsToken: "", senderLocalpart: "", prefix: "" },
  servers: [
    {
      role: "hs1",
      place: "hs1",
      serverName: "hs1:8448",
      clientUrl: "http://127.0.0.1:9",
      federationUrl: "http://127.0.0.1:9",
      capabilities: [],
      auth: {
        role: "as1",
        place: "as1",
        kind: "oidc",
        issuer: "http://127.0.0.1:9/",
        capabilities: [],
        faults: [],
      },
    },
  ],
};

const RUN: Omit<RunInfo, "control"> = {
  runId: "spec",
  deployment: DEPLOYMENT,
  mode: "verdicts",
  selected: {},
  disabled: {},
  seed: 1,
  repeat: 1,
  retry: 0,
  isolate: false,
  timeoutScale: 1,
  record: "none",
  propertySeconds: 0,
  accountSizes: [],
};

/** What becomes of a check with this body, while auth services were down as told. */
async function judge(
  body: CheckBody,
  outages: readonly string[] = [],
  {
    mode = "verdicts",
    fired = 0,
    ...options
  }: Partial<Pick<RunInfo, "mode">> & { fired?: number } & CheckOptions = {},
) {
  const control: Partial<Control> = {
    serviceOutages: async () => outages,
    serverLog: async (_, place) => [`last line of ${place}`],
    addRule: async () => "rule",
    ruleFired: async () => fired,
    removeRule: async () => fired,
  };
  await using command = await serveControl(control as Control);
  const run: RunInfo = { ...RUN, mode, control: command };
  return await new Checker(run, "MSC3861.cs.whoami", "spec", 1, options, body).report([]);
}

const refuted: CheckBody = async () => {
  throw new CheckFailure("status 200", "503");
};

test("a failure while the auth service was down is trouble of ours, with the logs of both", async () => {
  const report = await judge(refuted, ["as1 ended by itself: SIGKILL"]);

  expect(report).toMatchObject({
    outcome: "error",
    reason:
      "a service beside the homeserver was down while the check ran: as1 ended by itself: SIGKILL",
    logs: ["hs1: last line of hs1", "as1: last line of as1"],
  });
  expect(report.message).toContain("see the service's log");
});

test("a failure while the auth service was there is the server's", async () => {
  expect(await judge(refuted)).toMatchObject({ outcome: "fail", actual: "503" });
});

test("an outage that a check did not notice leaves its verdict", async () => {
  const report = await judge(async () => undefined, ["as1 ended by itself: SIGKILL"]);

  expect(report.outcome).toBe("pass");
});

test("any trouble comes with the log of the auth service too", async () => {
  const report = await judge(async () => {
    throw new HarnessError("INTERNAL", { what: "trouble" });
  });

  expect(report.outcome).toBe("error");
  expect(report.logs).toContain("as1: last line of as1");
});

test.each([
  [["federation"], { isolated: {} }, ["federation"]],
  [[], { isolated: {} }, []],
  // By --isolate.
  [["sticky-events"], {}, null],
])(
  "a check whose requirement needs %j, with %j, asks for servers of its own for %j",
  async (needs, options, expected) => {
    const started: unknown[] = [];
    const control: Partial<Control> = {
      roomForIsolated: async () => undefined,
      startIsolated: async (...asked) => {
        started.push(asked);
        return DEPLOYMENT;
      },
      stopIsolated: async () => undefined,
      serviceOutages: async () => [],
    };
    await using command = await serveControl(control as Control);
    const run: RunInfo = {
      ...RUN,
      ...{ control: command, isolate: true, selected: { "MSC3861.cs.whoami": needs } },
    };

    const checker = new Checker(
      run,
      "MSC3861.cs.whoami",
      "spec",
      1,
      options,
      async () => undefined,
    );
    await checker.report([]);

    expect(started).toEqual([[[], expected]]);
  },
);

test("a mutant that lives is told by its name", async () => {
  const mutant = { name: "does nothing", rules: [] };

  const lives = await judge(async () => {}, [], { mode: "mutants", mutant });
  const dies = await judge(refuted, [], { mode: "mutants", mutant });

  expect(lives).toMatchObject({ outcome: "fail", reason: "survived: does nothing (pass)" });
  expect(dies).toMatchObject({ outcome: "pass", mutants: [{ verdict: "killed" }] });
});

test.each([
  ["passes", 0, async () => undefined, "not-fired"],
  ["passes", 2, async () => undefined, "survived"],
  ["fails", 0, refuted, "moot"],
  ["fails", 2, refuted, "killed"],
] as const)(
  "of a check that %s while a mutant's rule fired %i times, the mutant is told as it is",
  async (_, fired, body, verdict) => {
    const rule = { match: {}, phase: "before", action: { kind: "reset" } } as const;
    const mutant = { name: "resets", rules: [rule] };

    const report = await judge(body, [], { mode: "mutants", mutant, fired });

    expect(report.mutants).toMatchObject([{ name: "resets", verdict }]);
  },
);

test("a mutant on which a check gave no verdict is trouble of ours, unless another one lives", async () => {
  const mutant = [
    { name: "first", rules: [] },
    { name: "second", rules: [] },
  ];
  const breaks: CheckBody = async () => {
    throw new Error("no answer");
  };
  const breaksOnce: CheckBody = async () => {
    if (tries++ === 0) throw new Error("no answer");
  };
  let tries = 0;

  const undecided = await judge(breaks, [], { mode: "mutants", mutant });
  const lives = await judge(breaksOnce, [], { mode: "mutants", mutant });

  const reason = "error: first (the check itself broke: no answer)";
  expect(undecided).toMatchObject({ outcome: "error", reason });
  expect(undecided.mutants).toMatchObject([{ verdict: "error" }, { verdict: "error" }]);
  expect(lives).toMatchObject({ outcome: "fail", reason: "survived: second (pass)" });
});
