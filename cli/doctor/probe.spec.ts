import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import { probeInOrder } from "./probe.ts";

test("after a failure nothing is tried, and what the driver lacks is no failure", async () => {
  const probes = await probeInOrder(
    [
      ["fine", async () => "yes"],
      ["absent", undefined],
      ["broken", () => Promise.reject(new Error("no answer"))],
      ["later", async () => "never"],
    ],
    "see the log",
  );
  expect(probes).toEqual([
    { name: "fine", state: "ok", detail: "yes" },
    { name: "absent", state: "skip", detail: "the driver does not offer it" },
    { name: "broken", state: "fail", detail: "no answer", next: "see the log" },
    { name: "later", state: "skip", detail: "not tried, since an earlier one failed" },
  ]);
});

test("an error that knows what to do is asked first", async () => {
  const error = new HarnessError("BAD_CONFIG", { what: "no users", next: "give shared-secret=…" });
  const [probe] = await probeInOrder([["register", () => Promise.reject(error)]], "see the log");
  expect(probe).toMatchObject({ state: "fail", next: "give shared-secret=…" });
});
