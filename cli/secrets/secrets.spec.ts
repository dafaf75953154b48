/**
 * What nobody may find in what a command has written: what was said in encrypted rooms, keys of all kinds, passwords and
 * tokens. They are those of real clients, as a witness in their processes saw them; the whole directory is searched.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PLAN_FORMAT } from "#scenarios/plan";
import { PATIENCE, Watch } from "./watch.ts";

let watch: Watch;
const inOwn = (kind: string) => `${kind} in a process of its own`;

beforeEach(() => {
  watch = new Watch("witness.ts");
});

afterEach(() => watch[Symbol.dispose]());

test(
  "a run of checks of encryption has none of the clients' secrets in any file",
  PATIENCE,
  async () => {
    using sandbox = watch.sandbox();
    const ids = [
      "E2EE.recover.backup-fallback",
      "E2EE.dehydrated.end-to-end",
      "MSC4268.bundle",
      // Fails by what it finds, so that reports have a failure with its exchanges.
      "MSC4268.flag-name",
      "UTD.hist.kill-mid-import",
      // Told to all kinds of clients, most of which are processes of their own.
      "UTD.member.happy-legacy",
      "E2EE.ssss.recommended-content",
    ];

    const run = sandbox.run([...ids.flatMap((id) => ["--id", id]), "--record", "all"]);
    const { stderr } = await run.ended;

    const outcomes = run.results().results.map(({ outcome }) => outcome);
    // The story is told to the other clients too, which lack what it is about.
    const judged = outcomes.filter((outcome) => outcome !== "skip");
    expect(new Set(judged), stderr).toEqual(new Set(["pass", "fail"]));
    const kinds = new Set(watch.seen().map(([kind]) => kind));
    const expected = ["plaintext", "room key", "cross-signing key", "backup key", "random key"];
    const more = ["dehydration key", "media key", "access token", "password"];
    const ofPassphrases = ["passphrase", "key of a passphrase"];
    const received = ["received plaintext", "received room key"];
    const elsewhere = ["plaintext", "room key", "access token", ...received].map(inOwn);
    const all = [...expected, ...more, ...ofPassphrases, ...received, ...elsewhere];
    expect(all.filter((kind) => !kinds.has(kind))).toEqual([]);
    expect(watch.found(run.directory)).toEqual([]);
    watch.expectFindable();
  },
);

test(
  "so has an encrypted story of chaos, whose devices are processes, with its journal",
  PATIENCE,
  async () => {
    using sandbox = watch.sandbox();
    const story = {
      format: PLAN_FORMAT,
      id: "said-in-secret",
      title: "a message from one server to the other",
      servers: 2,
      users: { alice: "hs1", bob: "hs2" },
      rooms: { main: { creator: "alice", rule: "public", members: ["bob"], encrypted: true } },
      steps: [
        { op: "reset-identity", id: "identity", by: "alice" },
        { op: "new-backup", id: "backup", by: "alice" },
        { op: "message", id: "hello", by: "alice", room: "main" },
        { op: "kill-device", id: "death", by: "bob" },
        { converge: "nudged" },
      ],
    };
    const corpus = sandbox.path("corpus");
    mkdirSync(corpus);
    writeFileSync(path.join(corpus, "story.json"), JSON.stringify(story));
    const out = sandbox.path("run");
    const flags = ["--servers", "2", "--duration", "1", "--corpus", corpus, "--out", out];

    const { stderr } = await sandbox.crucible("chaos", "--encrypted", ...flags);

    const kinds = new Set(watch.seen().map(([kind]) => kind));
    const keys = ["room key", "cross-signing key", "backup key", "random key"];
    const expected = ["password", ...["plaintext", ...keys, "access token"].map(inOwn)];
    expect(
      expected.filter((kind) => !kinds.has(kind)),
      stderr,
    ).toEqual([]);
    expect(readdirSync(out).length).toBeGreaterThan(0);
    expect(watch.found(out)).toEqual([]);
  },
);
