import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { ClientLog, readClientLog } from "./client-log.ts";
import { digest, parcelsIn } from "./parcel.ts";

const folder = mkdtempSync(path.join(tmpdir(), "client-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BOB = { user: "@bob:hs1", device: "BOB" };

test("what a client told is read again in order, and a line that a kill has cut is left out", () => {
  const file = path.join(folder, "bob.ndjson");
  const log = new ClientLog(file, BOB);
  log.tell("acknowledged", { next: digest("s1") });
  log.tell("read", { room: "!r", event: "$e", session: "s", isReadable: false, code: "X" });
  appendFileSync(file, '{"t":"re');

  expect(readClientLog(file)).toMatchObject([
    { t: "acknowledged", seq: 0, ...BOB, next: digest("s1") },
    { t: "read", seq: 1, ...BOB, code: "X" },
  ]);
});

test("what has no place in the log is refused and not written", () => {
  const file = path.join(folder, "strict.ndjson");
  const log = new ClientLog(file, BOB);
  const withKey = { next: digest("s1"), parcels: [], session_key: "AgAAA" };
  expect(() => log.tell("took", withKey)).toThrow(/session_key/);
  expect(() => log.tell("acknowledged", { next: "s1_raw_token" })).toThrow(/next/);
  log.tell("stop", { how: "kill" });
  expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(1);
});

test("a line that is none names its place", () => {
  const file = path.join(folder, "bad.ndjson");
  appendFileSync(file, '{"t":"stop","seq":0,"at":1,"user":"@b:x","device":"B","how":"kill"}\nno\n');
  expect(() => readClientLog(file)).toThrow(/bad\.ndjson:2/);
  expect(() => readClientLog(path.join(folder, "none"))).toThrow(/there is no/);
});

test("a parcel is named by its ciphertext alone", () => {
  const content = { ciphertext: { key: { type: 0, body: "abc" }, other: { type: 1 } } };
  expect(parcelsIn(content)).toEqual([{ id: digest("abc"), curve25519: "key", isPreKey: true }]);
  expect(parcelsIn({ ciphertext: "megolm" })).toEqual([]);
  expect(parcelsIn(undefined)).toEqual([]);
});
