/**
 * What nobody may find in what a command has written: what was said in encrypted rooms, keys of all kinds, passwords and
 * tokens. They are those of real clients, as a witness in their processes saw them; the whole directory is searched.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { PLAN_FORMAT } from "#scenarios/plan";
import type { Seen } from "./witness.ts";

const WITNESS = pathToFileURL(path.join(import.meta.dirname, "witness.ts")).href;
/** Two servers start, on a busy machine. */
const PATIENCE = { timeout: 400_000 };

let outside: string;
let file: string;

beforeEach(() => {
  outside = mkdtempSync(path.join(tmpdir(), "crucible-witness-"));
  file = path.join(outside, "seen.ndjson");
  writeFileSync(file, "");
});

afterEach(() => rmSync(outside, { recursive: true, force: true }));

const watched = () =>
  new Sandbox({ NODE_OPTIONS: `--import=${WITNESS}`, SECRETS_SEEN: file, NODE_NO_WARNINGS: "1" });

function seen(): readonly Seen[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Seen);
}

/** A content is looked for as it stands in JSON, and in JSON within JSON; its text is too short to be looked for alone. */
function formsOf([kind, text]: Seen): readonly string[] {
  if (kind !== "plaintext") return [text];
  const { body } = JSON.parse(text) as { body?: unknown };
  const field = `"body":${JSON.stringify(body)}`;
  return [field, JSON.stringify(field).slice(1, -1)];
}

/** Secrets that are in files of a folder: which kind, and where, never the secret. */
function found(folder: string): readonly string[] {
  const secrets = seen().map((one) => ({ kind: one[0], forms: formsOf(one) }));
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap(({ parentPath, name }) => {
      const text = readFileSync(path.join(parentPath, name), "utf8");
      const kinds = secrets
        .filter(({ forms }) => forms.some((form) => text.includes(form)))
        .map(({ kind }) => kind);
      return [...new Set(kinds)].map((kind) => `${kind} in ${path.join(parentPath, name)}`);
    });
}

/** The search would find each of them. */
function expectFindable(folder: string): void {
  const place = path.join(folder, "planted.txt");
  for (const one of seen()) {
    writeFileSync(place, formsOf(one).at(-1) ?? "");
    expect(found(folder), one[0]).toContain(`${one[0]} in ${place}`);
  }
  rmSync(place);
}

test(
  "a run of checks of encryption has none of the clients' secrets in any file",
  PATIENCE,
  async () => {
    using sandbox = watched();
    const ids = [
      "E2EE.recover.backup-fallback",
      "E2EE.dehydrated.end-to-end",
      "MSC4268.bundle",
      // Fails by what it finds, so that reports have a failure with its exchanges.
      "MSC4268.flag-name",
      "UTD.hist.kill-mid-import",
    ];

    const run = sandbox.run([...ids.flatMap((id) => ["--id", id]), "--record", "all"]);
    const { stderr } = await run.ended;

    const outcomes = run.results().results.map(({ outcome }) => outcome);
    // The story is told to the other clients too, which lack what it is about.
    const judged = outcomes.filter((outcome) => outcome !== "skip");
    expect(new Set(judged), stderr).toEqual(new Set(["pass", "fail"]));
    const kinds = new Set(seen().map(([kind]) => kind));
    const expected = ["plaintext", "room key", "cross-signing key", "backup key", "random key"];
    const more = ["dehydration key", "media key", "access token", "password"];
    expect([...expected, ...more].filter((kind) => !kinds.has(kind))).toEqual([]);
    expect(found(run.directory)).toEqual([]);
    const bare = path.join(outside, "control");
    mkdirSync(bare);
    expectFindable(bare);
  },
);

test("so has an encrypted story of chaos, with its journal", PATIENCE, async () => {
  using sandbox = watched();
  const story = {
    format: PLAN_FORMAT,
    id: "said-in-secret",
    title: "a message from one server to the other",
    servers: 2,
    users: { alice: "hs1", bob: "hs2" },
    rooms: { main: { creator: "alice", rule: "public", members: ["bob"], encrypted: true } },
    steps: [{ op: "message", id: "hello", by: "alice", room: "main" }, { converge: "nudged" }],
  };
  const corpus = sandbox.path("corpus");
  mkdirSync(corpus);
  writeFileSync(path.join(corpus, "story.json"), JSON.stringify(story));
  const out = sandbox.path("run");
  const flags = ["--servers", "2", "--duration", "1", "--corpus", corpus, "--out", out];

  const { stderr } = await sandbox.crucible("chaos", "--encrypted", ...flags);

  const kinds = new Set(seen().map(([kind]) => kind));
  const expected = ["plaintext", "room key", "access token", "password"];
  expect(
    expected.filter((kind) => !kinds.has(kind)),
    stderr,
  ).toEqual([]);
  expect(readdirSync(out).length).toBeGreaterThan(0);
  expect(found(out)).toEqual([]);
});
