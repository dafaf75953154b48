/** `crucible tardis live` against a real Synapse: what it records of a room is what the server has in its database. */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { DeploymentForSpecs } from "#cli/deployment-for-specs";
import { path as target } from "#harness/http/client";
import type { Session } from "#harness/world/session";
import { loadRun } from "#tardis/formats/load";
import { checkIds } from "#tardis/model/check-ids";

const UNKNOWN = "!nowhere:hs1";
const PATIENCE = { timeout: 60_000 };

let server: DeploymentForSpecs;
const sandbox = new Sandbox();
let alice: Session;
let bob: Session;
let adminToken: string;
let room: string;
let url: string;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
  const [place] = server.deployment.servers;
  if (place === undefined) throw new TypeError("no server");
  url = place.clientUrl;
  const here = server.world("CS.sync.filter");
  [alice, bob] = await here.users("alice", "bob");
  const { control } = server.pool;
  const admin = await control.register(server.deployment.id, place.place, "admin", "secret", true);
  adminToken = admin.accessToken;
  room = await alice.createRoom({ preset: "public_chat", name: "recorded" });
  await bob.join(room);
  // More than one answer of /sync and one page of /messages have, and some at the same time, so that there are forks.
  for (let round = 0; round < 100; round++)
    await Promise.all([alice, bob].flatMap((one) => [one.send(room, "a"), one.send(room, "b")]));
  await bob.leave(room);
}, 300_000);

afterAll(async () => {
  sandbox[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Events of the room with what they follow, as the server has them in its database, sorted. */
function edges(): readonly string[] {
  using database = new DatabaseSync(databaseFile(), { readOnly: true, timeout: 5_000 });
  return database
    .prepare(
      `SELECT e.event_id AS id, p.prev_event_id AS previous FROM events e
       LEFT JOIN event_edges p ON p.event_id = e.event_id WHERE e.room_id = ?`,
    )
    .all(room)
    .map(({ id, previous }) => `${id} > ${previous ?? ""}`)
    .sort();
}

function databaseFile(): string {
  const [found] = globSync("**/homeserver.db", { cwd: server.folder });
  if (found === undefined) throw new TypeError("no database");
  return path.join(server.folder, found);
}

function tokenFile(token: string): readonly string[] {
  const file = sandbox.path(`token-${token.slice(-6)}`);
  writeFileSync(file, `${token}\n`);
  return ["--token-file", file];
}

function sources(): readonly (readonly [name: string, args: readonly string[]])[] {
  return [
    ["user", ["user", url, ...tokenFile(alice.accessToken)]],
    ["admin", ["admin", url, ...tokenFile(adminToken)]],
    ["database", ["database", databaseFile(), "--server-name", "hs1:8448"]],
  ];
}

async function edgesIn(text: string): Promise<readonly string[]> {
  const run = await loadRun([{ name: "recorded.replay.ndjson", text }]);
  expect(run.problems).toEqual([]);
  expect(checkIds(run)).toMatchObject({ differing: [], matching: run.pdus.length });
  return run.pdus
    .flatMap(({ event: { id, prevEvents } }) => {
      const previous = prevEvents.length === 0 ? [""] : prevEvents;
      return previous.map((one) => `${id} > ${one}`);
    })
    .sort();
}

/** What the last word on the state was, sorted; none: there is no word. */
function stateIn(text: string): readonly string[] {
  const records = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly t: string; readonly state?: object });
  const state = records.findLast(({ t }) => t === "state")?.state ?? {};
  return Object.entries(state)
    .map(([key, id]) => `${key} ${id}`)
    .sort();
}

async function stateNow(): Promise<readonly string[]> {
  const { json } = await alice.get(target`/_matrix/client/v3/rooms/${room}/state`);
  return (json as readonly Record<string, string>[])
    .map(({ type, state_key: key, event_id: id }) => `${type}|${key} ${id}`)
    .sort();
}

function expectNoToken(...texts: readonly string[]): void {
  for (const token of [alice.accessToken, adminToken])
    for (const text of texts) expect(text.includes(token)).toBe(false);
}

test("a user, an admin and the database tell the same room, that of the server, and no token", async () => {
  const wanted = edges();
  const events = new Set(wanted.map((edge) => edge.split(" ")[0]));
  expect(events.size).toBeGreaterThan(400);
  expect(wanted.length).toBeGreaterThan(events.size);
  for (const [name, args] of sources()) {
    const output = sandbox.path(`${name}.replay.ndjson`);
    const { code, stdout, stderr } = await sandbox.crucible(
      ...["tardis", "live", ...args, "--room", room, "--once", "-o", output],
    );

    expect(code, stderr).toBe(0);
    const text = readFileSync(output, "utf8");
    expect(await edgesIn(text), name).toEqual(wanted);
    expect(stateIn(text), name).toEqual(name === "database" ? [] : await stateNow());
    expectNoToken(stdout, stderr, text);
  }
}, 120_000);

test("what comes later is recorded when it comes, and the page is served", async () => {
  const running = sources().map(([name, args]) => {
    const file = sandbox.path(`${name}-on.replay.ndjson`);
    const more = ["--room", room, "--every", "1", "--serve", "-o", file];
    return { file, command: sandbox.start("tardis", "live", ...args, ...more) };
  });
  for (const { command } of running) {
    const [, page = ""] = await command.remarks(/watch: (http:\S+)/);
    // biome-ignore lint/style/noRestrictedGlobals: asks what the command serves, as a browser does
    const answer = await fetch(page);
    expect(answer.status).toBe(200);
    expectNoToken(page, await answer.text());
  }
  const before = edges().length;
  for (const { file } of running)
    await expect
      .poll(async () => (await edgesIn(readFileSync(file, "utf8"))).length, PATIENCE)
      .toBe(before);

  await alice.send(room, "later");
  const wanted = edges();
  expect(wanted.length).toBeGreaterThan(before);
  for (const { file, command } of running) {
    await expect.poll(() => edgesIn(readFileSync(file, "utf8")), PATIENCE).toEqual(wanted);
    command.signal("SIGINT");
    const { code, stdout, stderr } = await command.ended;
    expect(code, stderr).toBe(0);
    expectNoToken(stdout, stderr, readFileSync(file, "utf8"));
  }
}, 120_000);

test("what --limit leaves out is not told later either", async () => {
  const file = sandbox.path("limited.replay.ndjson");
  const from = [databaseFile(), "--server-name", "hs1:8448", "--room", room];
  const command = sandbox.start(
    ...["tardis", "live", "database", ...from, "--limit", "3", "--every", "1", "-o", file],
  );
  const events = () => readFileSync(file, "utf8").split('"t":"pdu"').length - 1;
  await expect.poll(() => existsSync(file) && events(), PATIENCE).toBe(3);

  await alice.send(room, "later than that");
  await expect.poll(events, PATIENCE).toBeGreaterThan(3);
  command.signal("SIGINT");
  const { code, stderr } = await command.ended;

  expect(code, stderr).toBe(0);
  expect(events()).toBe(4);
}, 120_000);

const REFUSED: readonly (readonly [
  kind: string,
  token: () => string,
  room: () => string,
  status: number,
  next: string,
])[] = [
  ["user", () => "wrong", () => room, 401, "does not know the token"],
  ["admin", () => "wrong", () => room, 401, "does not know the token"],
  ["admin", () => alice.accessToken, () => room, 403, "may not see this"],
  ["user", () => alice.accessToken, () => UNKNOWN, 403, "join the room"],
  ["admin", () => adminToken, () => UNKNOWN, 404, "check the room id"],
];

test.each(REFUSED)(
  "%s: what is refused is told (%#)",
  async (kind, token, wanted, status, next) => {
    const { code, stdout, stderr } = await sandbox.crucible(
      ...["tardis", "live", kind, url, ...tokenFile(token()), "--room", wanted(), "--once"],
    );

    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^error GET /_\\S+: ${status}\n`));
    expect(stderr).toContain(next);
    expect(stdout).toBe("");
    expectNoToken(stderr);
  },
);

test("a room that the database has not, and a file that is none, are told", async () => {
  const none = sandbox.path("none.db");
  writeFileSync(none, "none");
  for (const [file, room, what] of [
    [databaseFile(), UNKNOWN, `the database has no event of ${UNKNOWN}`],
    [none, UNKNOWN, "can not be read"],
    [sandbox.path("nowhere"), UNKNOWN, "there is no "],
  ] as const) {
    const args = [file, "--server-name", "hs1:8448", "--room", room, "--once"];
    const { code, stderr } = await sandbox.crucible("tardis", "live", "database", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(what);
  }
});
