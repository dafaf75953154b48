import { expect, test, vi } from "vitest";
import type { CheckReport, MutantReport } from "#harness/world/run-info";
import { showMutants } from "./mutants.ts";

const report = (...verdicts: readonly MutantReport["verdict"][]) =>
  ({
    ...{ requirement: "CS.a", title: "the server does", outcome: "fail" },
    mutants: verdicts.map((verdict) => ({ name: verdict, verdict, detail: "seen" })),
  }) as unknown as CheckReport;

test.each([
  [0, [report("killed", "moot")]],
  [1, [report("killed"), report("survived")]],
  [1, [report("not-fired", "error")]],
  [1, [report("killed"), report()]],
  [3, [report("killed"), report("error")]],
  [4, [{ ...report(), outcome: "skip" } as CheckReport]],
] as const)("exit code %i", (code, reports) => {
  const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);

  const codes = [false, true].map((asJson) => showMutants(reports, asJson));

  out.mockRestore();
  expect(codes).toEqual([code, code]);
});
