/** `crucible tardis live peer` against a real Synapse: the room as a server that has joined it is told of it. */
import { globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { DeploymentForSpecs } from "#cli/deployment-for-specs";
import { loadRun } from "#tardis/formats/load";
import { checkIds } from "#tardis/model/check-ids";
import type { Run } from "#tardis/model/run";
import { Session } from "#tardis/view/session";

const PATIENCE = { timeout: 60_000 };

let server: DeploymentForSpecs;
const sandbox = new Sandbox();

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);
afterAll(async () => {
  sandbox[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Of a listener that has gone. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** What the gateway of the deployment needs to know of a server that it has not started, and what that server needs of it. */
async function wayOf(name: string): Promise<readonly string[]> {
  const port = await freePort();
  const { control } = server.pool;
  const { proxyPort, ca } = await control.addPeer(server.deployment.id, name, port, "spec");
  const file = sandbox.path(`${name}.pem`);
  writeFileSync(file, ca);
  const key = sandbox.path(`${name}.key`);
  return [
    ...["--name", name, "--listen", String(port), "--key-file", key],
    ...["--proxy", `http://127.0.0.1:${proxyPort}`, "--ca", file],
  ];
}

/** Ids of the room's events in the server's database, but the given ones. */
function idsOf(room: string): readonly string[] {
  const [found = ""] = globSync("**/homeserver.db", { cwd: server.folder });
  const file = path.join(server.folder, found);
  using database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  return database
    .prepare("SELECT event_id AS id FROM events WHERE room_id = ?")
    .all(room)
    .map(({ id }) => String(id))
    .sort();
}

async function runIn(file: string): Promise<Run> {
  return await loadRun([{ name: "recorded.replay.ndjson", text: readFileSync(file, "utf8") }]);
}

function idsIn({ pdus }: Run): readonly string[] {
  return pdus.map(({ eventId }) => eventId).sort();
}

test("it joins, tells what was and what comes as it comes, and leaves", async () => {
  await using here = server.world("FED.sig.destination");
  const [alice, bob] = await here.users("alice", "bob");
  const room = await alice.createRoom({ preset: "public_chat", name: "recorded" });
  await bob.join(room);
  // More than one page of /backfill, with forks.
  for (let round = 0; round < 30; round++)
    await Promise.all([alice, bob].flatMap((one) => [one.send(room, "a"), one.send(room, "b")]));
  const before = idsOf(room);
  const name = server.random.name("recording").toLowerCase();
  const way = await wayOf(name);
  const [output, key] = [sandbox.path("peer.replay.ndjson"), sandbox.path(`${name}.key`)];

  const { serverName } = alice.server;
  const command = sandbox.start(
    ...["tardis", "live", "peer", serverName, "--room", room, "-o", output, ...way],
  );
  const recorder = `@recorder:${name}:8448`;
  await command.remarks(new RegExp(`${recorder} joins`));
  // All from before, and its own join.
  const known = async () => {
    try {
      return idsIn(await runIn(output));
    } catch {
      // Nothing is written yet.
      return [];
    }
  };
  await expect.poll(async () => (await known()).length, PATIENCE).toBe(before.length + 1);
  expect(idsOf(room)).toEqual(await known());
  const said = await alice.send(room, "while it listens");
  await alice.setState(room, "m.room.topic", { topic: "and this" });
  await expect.poll(known, PATIENCE).toEqual(idsOf(room));
  // What its server takes for delivered, and what it hears of by what follows it alone.
  const swallows = await here.rule({
    name: "swallows what is sent",
    match: { from: "hs1", to: `${name}*`, path: "/_matrix/federation/v1/send/*" },
    phase: "before",
    action: { kind: "answer", status: 200, body: { pdus: {} } },
  });
  const missed = await alice.send(room, "missed");
  await expect.poll(() => swallows.fired(), PATIENCE).toBeGreaterThan(0);
  await swallows.end();
  await alice.send(room, "after the gap");
  await expect.poll(known, PATIENCE).toEqual(idsOf(room));
  command.signal("SIGINT");
  const { code, stdout, stderr } = await command.ended;

  expect(code, stderr).toBe(0);
  const run = await runIn(output);
  expect(run.problems).toEqual([]);
  expect(checkIds(run)).toMatchObject({ differing: [], matching: run.pdus.length });
  const peer = run.servers.findIndex(({ name: one }) => one === `${name}:8448`);
  const came = (event: string) => {
    const row = run.pdus.findIndex(({ eventId }) => eventId === event);
    return run.arrivals.filter((arrival) => arrival.row === row && arrival.server === peer);
  };
  expect(came(said)).toMatchObject([{ via: "send", from: serverName, verdict: "accepted" }]);
  const between = { via: "get_missing_events", from: serverName, verdict: "unknown" };
  expect(came(missed)).toMatchObject([between]);
  const vias = new Set(run.arrivals.map(({ via }) => via));
  for (const via of ["send_join", "backfill", "send", "created"]) expect(vias).toContain(via);
  // What the server says that the state was is what our own rules come to.
  const told = run.snapshots.at(-1) ?? expect.fail("no state");
  expect(told).toMatchObject({ source: "state_ids", atEvent: run.pdus.at(-1)?.eventId });
  const session = Session.of(run);
  const parent = session.rowOf(run.pdus.at(-1)?.event.prevEvents[0] ?? "");
  const { side } = session.at({ row: parent, server: undefined, base: undefined });
  expect([...told.state].sort()).toEqual([...side.state].sort());
  const members = await alice.get(`/_matrix/client/v3/rooms/${encodeURIComponent(room)}/members`);
  expect(JSON.stringify(members.json)).toContain('"membership":"leave"');
  const seed = readFileSync(key, "utf8").trim();
  expect(statSync(key).mode & 0o077).toBe(0);
  for (const text of [stdout, stderr, readFileSync(output, "utf8")])
    expect(text.includes(seed)).toBe(false);
}, 240_000);

test("a room that lets nobody in is told, with what it takes", async () => {
  await using here = server.world("FED.sig.destination");
  const alice = await here.user("alice");
  const room = await alice.createRoom({ preset: "private_chat" });
  const way = await wayOf(server.random.name("refused").toLowerCase());

  const { code, stdout, stderr } = await sandbox.crucible(
    ...["tardis", "live", "peer", alice.server.serverName, "--room", room, "--once", ...way],
  );

  expect(stderr).toMatch(/error \S+ does not let @recorder:\S+ join !/);
  expect(stderr).toContain("has to be public, or to have invited that user");
  expect(code).toBe(2);
  expect(stdout).toBe("");
}, 120_000);
