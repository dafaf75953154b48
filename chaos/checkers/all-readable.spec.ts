import { expect, test } from "vitest";
import { SampleFederation } from "#chaos/journal/sample-federation";
import { judgeAll } from "./checkers.ts";

const BOB = "@bob:hs2.test";

interface Read {
  readonly epoch?: number;
  readonly root?: string;
  readonly isReadable?: boolean;
  readonly isInSplit?: boolean;
}

/** Verdict on an epoch in which Bob's device read one event, once or several times. */
function verdictOn(reads: readonly Read[], epoch = 1) {
  const federation = SampleFederation.withRoom();
  const event = federation.message(BOB);
  federation.deliver();
  for (const { isReadable = false, epoch: of = 1, root, isInSplit = false } of reads) {
    federation.bodies.push({
      t: "decryption",
      epoch: of,
      server: "hs2.test",
      user: BOB,
      device: "PHONE",
      room: federation.roomId,
      event_id: event,
      isReadable,
      ...(isReadable ? {} : { code: "MissingRoomKey" }),
      ...(root === undefined ? {} : { root, isInSplit, why: "as it is" }),
    });
    federation.observe(of);
  }
  return judgeAll(federation.records(), epoch, ["all-readable"])[0];
}

test("what is readable passes, and where nothing was read nothing is said", () => {
  expect(verdictOn([{ isReadable: true }])).toMatchObject({ outcome: "pass", looked: 1 });
  expect(verdictOn([])).toMatchObject({ outcome: "skip", looked: 0 });
});

test.each(["expected.not-member", "expected.device-historical", "withheld.unverified"])(
  "nobody is owed the key when it is %s",
  (root) => {
    expect(verdictOn([{ root }])).toMatchObject({ outcome: "pass", looked: 1, findings: [] });
  },
);

test.each(["missing-key.sender-stale-membership", "devicelist.stale", "withheld.no-olm"])(
  "that a split keeps a sender from it is reported, and fails nobody: %s",
  (root) => {
    expect(verdictOn([{ root, isInSplit: true }])).toMatchObject({
      outcome: "pass",
      findings: [{ outcome: "reported", matter: "protocol" }],
    });
    expect(verdictOn([{ root }])).toMatchObject({ outcome: "fail" });
  },
);

test("what a split does not excuse fails in one as well", () => {
  expect(verdictOn([{ root: "olm.wedged", isInSplit: true }])).toMatchObject({ outcome: "fail" });
});

test.each([
  ["todevice.lost-federation", "E2EE.todevice.fed-retry"],
  ["todevice.lost-server", "E2EE.todevice.no-ack-no-delete"],
  ["olm.wedged", undefined],
  ["devicelist.stale", undefined],
  ["withheld.no-olm", undefined],
  ["unexplained", undefined],
])("%s fails", (root, requirement) => {
  const verdict = verdictOn([{ root }]);

  expect(verdict).toMatchObject({ outcome: "fail", findings: [{ servers: ["hs2"] }] });
  expect(verdict?.findings[0]?.requirement).toBe(requirement);
  expect(verdict?.findings[0]?.what).toContain(`PHONE of ${BOB} can not read`);
  expect(verdict?.findings[0]?.what).toContain(`${root}: as it is`);
});

test("what nobody has found out is unknown, and no pass", () => {
  expect(verdictOn([{}])).toMatchObject({ outcome: "unknown" });
});

test("what can be read later was late, and what is still missing counts in each epoch", () => {
  expect(verdictOn([{ root: "olm.wedged" }, { epoch: 2, isReadable: true }], 2)).toMatchObject({
    outcome: "pass",
  });
  const twice = [{ root: "olm.wedged" }, { epoch: 2, root: "olm.wedged" }];
  expect(verdictOn(twice, 2)).toMatchObject({ outcome: "fail", looked: 1 });
});
