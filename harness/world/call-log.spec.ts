import { expect, test } from "vitest";
import { CallLog } from "./call-log.ts";
import type { DeploymentInfo } from "./run-info.ts";

const server = { role: "hs1", place: "hs2", serverName: "localhost:1", clientUrl: "" };
const sfu = { role: "sfu1", place: "sfu2", base: "", websocketUrl: "", capabilities: [] };
const DEPLOYMENT = {
  id: "main",
  servers: [{ ...server, federationUrl: "", capabilities: [], sfu }],
} as unknown as DeploymentInfo;
const AROUND = { check: "A.a.a.1", from: 1, rooms: ["!r"] };

test("keeps who the devices are without their tokens, and where everything runs", () => {
  const log = new CallLog();
  log.device("@alice:hs1", "A", "a secret token");
  const record = log.record(DEPLOYMENT, AROUND);
  expect(record).toMatchObject({ deployment: "main", ...AROUND });
  expect(record.places).toEqual([
    { role: "hs1", place: "hs2", serverName: "localhost:1" },
    { role: "sfu1", place: "sfu2" },
  ]);
  expect(record.devices).toEqual([
    { client: expect.stringMatching(/^[0-9a-f]{16}$/), user: "@alice:hs1", device: "A" },
  ]);
  expect(JSON.stringify(record)).not.toContain("secret");
});

test("takes notes with their time, or of now", () => {
  const log = new CallLog();
  log.note({ at: 5, who: "@a:hs1/A", from: "@b:hs1", what: "heard" });
  log.note({ who: "@a:hs1", what: "key", index: 1, digest: "0a1b2c3d" });
  const { notes, to } = log.record(DEPLOYMENT, AROUND);
  expect(notes[0]).toEqual({ at: 5, who: "@a:hs1/A", from: "@b:hs1", what: "heard" });
  expect(notes[1]?.at).toBeLessThanOrEqual(to);
});

test.each([
  { who: "@a:hs1", what: "key", key: "c2VjcmV0" },
  { who: "@a:hs1", what: "key", digest: "bm90IGEgZGlnZXN0" },
  { who: "@a:hs1", what: "key", digest: "0123456789abcdef0123456789abcdef" },
  { who: "@a:hs1", what: "key", index: "c2VjcmV0" },
  { who: "@a:hs1", what: "deaf" },
  { who: 7, what: "heard" },
  { who: "@a:hs1", what: "heard", at: Number.NaN },
])("refuses %j, and does not say what it was given", (note) => {
  const refused = () => new CallLog().note(note as never);
  expect(refused).toThrow(/no note of a call/);
  expect(refused).not.toThrow(/c2Vj|bm90|0123/);
});

test("tells how long a fault lasted, and which was not taken back", () => {
  const log = new CallLog();
  const ended = log.fault("kill", "hs1");
  log.fault("drop hs1 to hs2");
  ended();
  const { faults } = log.record(DEPLOYMENT, AROUND);
  expect(faults).toEqual([
    { from: expect.any(Number), to: expect.any(Number), what: "kill", role: "hs1" },
    { from: expect.any(Number), what: "drop hs1 to hs2" },
  ]);
});
