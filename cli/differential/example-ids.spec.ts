/** Ids of the examples of the viewer, against those that follow from Synapse's redaction and canonical JSON. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { loadRun } from "#tardis/formats/load";
import { useSynapsePython } from "./synapse-for-specs.ts";

const SCRIPT = path.join(import.meta.dirname, "events.py");
const ROOT = path.resolve(import.meta.dirname, "../..");
const FOLDERS = ["tardis/examples", "scenarios/stories/rooms"].map((name) => path.join(ROOT, name));
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.(?:json5|ndjson)$/.test(name))
    .map((name) => path.join(folder, name)),
);

const pythonFor = useSynapsePython();

interface Answer {
  /** Canonical JSON of the redacted event. */
  readonly redacted: string | null;
  /** Of events with `hashes`, which Synapse asks for. */
  readonly referenceHash: string | null;
}

test("every id of an event of the examples is the one that Synapse would give it", async (context) => {
  const python = pythonFor(context);
  const runs = await Promise.all(
    FILES.map((name) => loadRun([{ name, text: readFileSync(name, "utf8") }])),
  );
  const hashed = runs.flatMap(({ pdus, rooms }) =>
    pdus
      .filter(({ idSource }) => idSource !== "placeholder")
      .map(({ eventId, json }) => ({ eventId, json, version: rooms[0]?.version.id })),
  );

  const questions = hashed.map(({ json, version }) => ({
    version,
    text: JSON.stringify(json),
    seed: "",
  }));
  const output = execFileSync(python, [SCRIPT], {
    input: questions.map((question) => `${JSON.stringify(question)}\n`).join(""),
    encoding: "utf8",
  });
  const answers = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);

  expect(new Set(hashed.map(({ version }) => version))).toEqual(new Set(["10", "11", "12"]));
  expect(hashed.length).toBeGreaterThan(80);
  let confirmed = 0;
  for (const [at, { eventId, json }] of hashed.entries()) {
    const { redacted, referenceHash } = answers[at] ?? {};
    // The signatures do not count; those of the examples stand at the top level.
    const { signatures: _, ...rest } = JSON.parse(redacted ?? "{}") as Record<string, unknown>;
    const text = json.signatures === undefined ? redacted : JSON.stringify(rest);
    const id = createHash("sha256")
      .update(text ?? "")
      .digest("base64url");
    expect(`$${id}`, redacted ?? "refused by Synapse").toBe(eventId);
    if (referenceHash == null) continue;
    confirmed++;
    expect(`$${referenceHash.replaceAll("+", "-").replaceAll("/", "_")}`).toBe(eventId);
  }
  expect(confirmed).toBeGreaterThan(30);
}, 300_000);
