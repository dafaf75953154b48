/** Every DAG file in every version: what is written resolves to what the file says, so it is the same story. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createRandom } from "#harness/random";
import { type DagFile, parseDagFile } from "#protocol/dag/dag-file";
import { resolveState } from "#protocol/state/resolve";
import { foundRoom } from "./found.ts";
import { PeerKeys } from "./keys.ts";
import type { PeerRoom } from "./room.ts";
import { speakersOf, writeDag } from "./write-dag.ts";

const FOLDER = new URL("../../scenarios/stories/state-resolution/", import.meta.url);
const KEYS = new PeerKeys("peer-1:8448", "spec");
const WATCHER = "@watcher:peer-1:8448";

const CASES = readdirSync(FOLDER)
  .map((name) => parseDagFile(JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"))))
  .flatMap((file) =>
    [...file.expected].map(([version, expected]) => ({ file, version, expected })),
  );

const { name } = createRandom("write-dag");

function write(file: DagFile, version: string) {
  return writeDag(file, version, {
    found: (founding) => foundRoom(founding, KEYS, name),
    userId: (user) => `${name(user.split(":")[0] ?? "")}:peer-1:8448`,
    admit: async (room, founder) => {
      const isPublic = room.stateEvent("m.room.join_rules")?.content.join_rule === "public";
      if (!isPublic) addMember(room, founder, "invite");
      addMember(room, WATCHER, "join");
    },
  });
}

function addMember(room: PeerRoom, sender: string, membership: string): void {
  const content = { membership };
  const pdu = room.build({ type: "m.room.member", stateKey: WATCHER, sender, content });
  expect(room.add(pdu).rejection).toBeUndefined();
}

test.each(CASES)("$file.id in version $version", async ({ file, version, expected }) => {
  const { room, names, sets } = await write(file, version);

  const resolved = resolveState(
    room.graph,
    sets.map(({ state }) => state.values()),
  );

  const found = resolved.flatMap((id) => names.get(id) ?? []);
  expect(new Set(found)).toEqual(new Set(Object.values(expected)));
  expect(resolved).toHaveLength(found.length + 1);
  expect(room.stateEvent("m.room.member", WATCHER)?.content).toEqual({ membership: "join" });
  expect([...room.entries].flatMap(({ rejection }) => rejection ?? [])).toEqual([]);
  expect(sets.some(({ tip }) => tip !== undefined)).toBe(true);
});

test("only those may speak whom every state lets speak", async () => {
  const demoted = CASES.find(({ file }) => file.id === "c-banned-author-returns");
  expect(demoted).toBeDefined();
  if (demoted === undefined) return;

  const dag = await write(demoted.file, demoted.version);

  const speakers = speakersOf(dag).map((user) => user.split("-")[0]);
  expect(speakers.sort()).toEqual(["@alice", "@charlie", "@watcher:peer"]);
});

test("events at the same time have ids in the order of the file", async () => {
  const ties = CASES.filter(({ file }) => file.id.startsWith("tie-id"));
  expect(ties.length).toBeGreaterThan(0);

  for (const { file, version } of ties) {
    const { room, names } = await write(file, version);
    const rivals = [...room.entries].filter(({ event }) => names.get(event.id)?.startsWith("jr-"));
    const later = rivals.slice(-2).map(({ event }) => event.id);
    const sorted = later.toSorted();
    const byName = later.toSorted((a, b) => ((names.get(a) ?? "") < (names.get(b) ?? "") ? -1 : 1));
    expect(byName).toEqual(sorted);
  }
});
