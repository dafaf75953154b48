import { type HttpResponse, path } from "#harness/http/client";
import { type JsonObject, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { part, ROOM, setLevels } from "./rooms.ts";

const ALIAS = "/_matrix/client/v3/directory/room/*";
const ALIASES = `${ROOM}/aliases`;
const CANONICAL = `${ROOM}/state/m.room.canonical_alias/`;
const DONE = { status: 200, body: {} };
const MALFORMED = { "without a server": "#no-server", "without a sigil": "no-sigil:example.org" };
const FOREIGN = "#foreign:other.example.org";

function pathOf(alias: string): string {
  return path`/_matrix/client/v3/directory/room/${alias}`;
}

/** An alias of the first server that nobody else uses. */
function newAlias(world: World, prefix = "alias"): string {
  return `#${world.name(prefix)}:${world.server().serverName}`;
}

function resolve(reader: ServerClient, alias: string): Promise<HttpResponse> {
  return reader.get(pathOf(alias));
}

function setAlias(writer: ServerClient, alias: string, roomId: string): Promise<HttpResponse> {
  return writer.put(pathOf(alias), { room_id: roomId });
}

function deleteAlias(writer: ServerClient, alias: string): Promise<HttpResponse> {
  return writer.delete(pathOf(alias));
}

function listAliases(reader: ServerClient, roomId: string): Promise<HttpResponse> {
  return reader.get(path`/_matrix/client/v3/rooms/${roomId}/aliases`);
}

/** A refusal in Matrix's form with any status 4xx. */
function expectRefusal(response: HttpResponse): void {
  const isRefused = response.status >= 400 && response.status < 500;
  expectThat(isRefused, "status 4xx", `status ${response.status}`, response);
  expectMatrixError(response, response.status);
}

check(
  "CS.alias.crud",
  "the server creates, resolves, lists and deletes aliases, those in Unicode too",
  {
    mutant: [
      altersAnswer(
        "resolves to another room",
        { method: "GET", path: ALIAS },
        { set: { "/room_id": "!other:example.org" } },
      ),
      altersAnswer("names no server", { method: "GET", path: ALIAS }, { set: { "/servers": [] } }),
      altersAnswer("lists none", { path: ALIASES }, { body: { aliases: [] } }),
      // Servers may escape the character.
      altersAnswer(
        "lists another name",
        { path: ALIASES },
        {
          replace: [
            ["☕", "C"],
            ["\\u2615", "C"],
          ],
        },
      ),
      claims("does not delete", { method: "DELETE", path: ALIAS }, {}),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const aliases = [newAlias(world), newAlias(world, "☕-Žluťoučký-老虎-🤨")];

    for (const alias of aliases) {
      const created = await setAlias(alice, alias, roomId);
      const resolved = await resolve(bob, alias);

      expectEqual(ok(created), {}, "the answer", created);
      expectEqual(ok(resolved).room_id, roomId, "room_id of the alias", resolved);
      const servers = listAt(resolved.json, "servers");
      const hasSelf = servers.includes(alice.server.serverName);
      expectThat(hasSelf, `servers with ${alice.server.serverName}`, servers, resolved);
    }
    await world.eventually(async () => {
      const response = await listAliases(alice, roomId);
      const listed = listAt(ok(response), "aliases").toSorted();
      expectEqual(listed, aliases.toSorted(), "the listed aliases", response);
    });
    for (const alias of aliases) {
      const deleted = await deleteAlias(alice, alias);

      expectEqual(ok(deleted), {}, "the answer", deleted);
      await world.eventually(async () =>
        expectMatrixError(await resolve(bob, alias), 404, "M_NOT_FOUND"),
      );
    }
  },
);

check(
  "CS.alias.crud",
  "the server resolves a Unicode alias of another server",
  {
    mutant: altersAnswer(
      "resolves to another room",
      { method: "GET", path: ALIAS },
      { set: { "/room_id": "!other:example.org" } },
    ),
  },
  async (world) => {
    world.needs("federation");
    const alice = await world.user("alice");
    const dana = await world.user("dana", "hs2");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const alias = newAlias(world, "☕-老虎");
    ok(await setAlias(alice, alias, roomId));

    const resolved = await resolve(dana, alias);

    expectEqual(ok(resolved).room_id, roomId, "room_id of the alias", resolved);
    const servers = listAt(resolved.json, "servers");
    const hasServer = servers.includes(alice.server.serverName);
    expectThat(hasServer, `servers with ${alice.server.serverName}`, servers, resolved);
  },
);

check(
  "CS.alias.errors",
  "the server refuses aliases that are taken, malformed, of another server or without a token",
  {
    mutant: [
      altersAnswer("takes a taken alias", { method: "PUT", path: ALIAS, status: 409 }, DONE),
      altersAnswer(
        "moves a taken alias",
        { method: "GET", path: ALIAS, status: 200 },
        { set: { "/room_id": "!other:example.org" } },
      ),
      ...Object.entries(MALFORMED).flatMap(([name, alias]) =>
        ["PUT", "GET"].map((method) =>
          altersAnswer(
            `takes an alias ${name} to ${method}`,
            { method, path: pathOf(alias) },
            DONE,
          ),
        ),
      ),
      claims("takes a foreign alias", { method: "PUT", path: pathOf(FOREIGN) }, {}),
      altersAnswer("needs no token", { method: "PUT", path: ALIAS, status: 401 }, DONE),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const [first, second] = [await alice.createRoom(), await alice.createRoom()];
    const taken = newAlias(world);
    const free = newAlias(world);
    ok(await setAlias(alice, taken, first));

    const again = await setAlias(alice, taken, second);
    const malformed = await Promise.all(
      Object.values(MALFORMED).flatMap((alias) => [
        setAlias(alice, alias, first),
        resolve(alice, alias),
      ]),
    );
    const foreign = await setAlias(alice, FOREIGN, first);
    const anonymous = await setAlias(world.anonymous(), free, first);

    expectMatrixError(again, 409, "M_UNKNOWN");
    const resolved = await resolve(alice, taken);
    expectEqual(ok(resolved).room_id, first, "the room of the taken alias", resolved);
    for (const response of malformed) expectMatrixError(response, 400, "M_INVALID_PARAM");
    expectRefusal(foreign);
    expectMatrixError(anonymous, 401, "M_MISSING_TOKEN");
    expectMatrixError(await resolve(alice, free), 404, "M_NOT_FOUND");
  },
);

check(
  "CS.alias.errors",
  "the server finds no unknown alias to resolve or to delete",
  {
    mutant: [
      altersAnswer("resolves any", { method: "GET", path: ALIAS, status: 404 }, DONE),
      altersAnswer("deletes any", { method: "DELETE", path: ALIAS, status: 404 }, DONE),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const unknown = newAlias(world);

    const resolved = await resolve(alice, unknown);
    const deleted = await deleteAlias(alice, unknown);

    expectMatrixError(resolved, 404, "M_NOT_FOUND");
    expectMatrixError(deleted, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.alias.errors",
  "the server lists the aliases of a room to outsiders only when it is world readable",
  {
    mutant: [
      altersAnswer(
        "lists them to all",
        { path: ALIASES, status: 403 },
        { status: 200, body: { aliases: [] } },
      ),
      altersAnswer(
        "hides those of a world readable room",
        { path: ALIASES, status: 200 },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "not a member" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const alias = newAlias(world);
    ok(await setAlias(alice, alias, roomId));

    const closed = await listAliases(mallory, roomId);
    await alice.setState(roomId, "m.room.history_visibility", {
      history_visibility: "world_readable",
    });
    const open = await listAliases(mallory, roomId);

    expectMatrixError(closed, 403, "M_FORBIDDEN");
    expectEqual(ok(open).aliases, [alias], "the aliases of the world readable room", open);
  },
);

check(
  "CS.alias.delete-rights",
  "the server does not let a member without power delete the alias of another",
  {
    mutant: [
      altersAnswer("lets anybody delete", { method: "DELETE", path: ALIAS, status: 403 }, DONE),
      altersAnswer(
        "refuses, and yet deletes",
        { method: "GET", path: ALIAS },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "not found" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    const [alias, own, canonical] = [newAlias(world), newAlias(world), newAlias(world)];
    ok(await setAlias(alice, alias, roomId));
    for (const each of [own, canonical]) ok(await setAlias(charlie, each, roomId));
    await alice.setState(roomId, "m.room.canonical_alias", { alias: canonical });
    const levels = await alice.state(roomId, "m.room.power_levels");

    const refused = await deleteAlias(bob, alias);
    const resolved = await resolve(alice, alias);
    await setLevels(alice, roomId, { users: { ...part(levels, "users"), [bob.userId]: 50 } });
    const policy = {
      "a user with the level of the canonical alias": await deleteAlias(bob, alias),
      "the creator of an alias": await deleteAlias(charlie, own),
      "the creator of the canonical alias": await deleteAlias(charlie, canonical),
    };

    expectRefusal(refused);
    expectEqual(ok(resolved).room_id, roomId, "the room of the alias", resolved);
    for (const [who, { status }] of Object.entries(policy))
      world.note(`${who} deletes it: ${status}`);
  },
);

check(
  "CS.alias.canonical-checked",
  "the server takes as canonical and alternative aliases only those that lead to the room",
  {
    mutant: ["missing", "deleted", "elsewhere", "malformed"].flatMap((prefix) => [
      claims(`takes ${prefix} ones as alias`, { path: CANONICAL, contains: `"alias":"#${prefix}` }),
      claims(`takes ${prefix} ones in alt_aliases`, {
        path: CANONICAL,
        contains: `"alt_aliases":["#${prefix}`,
      }),
    ]),
  },
  async (world) => {
    const alice = await world.user("alice");
    const [roomId, other] = [await alice.createRoom(), await alice.createRoom()];
    const [good, alternative] = [newAlias(world), newAlias(world)];
    const [deleted, elsewhere] = [newAlias(world, "deleted"), newAlias(world, "elsewhere")];
    for (const alias of [good, alternative, deleted]) ok(await setAlias(alice, alias, roomId));
    ok(await setAlias(alice, elsewhere, other));
    ok(await deleteAlias(alice, deleted));
    const put = (content: JsonObject) =>
      alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/m.room.canonical_alias/`, content);

    for (const alias of [newAlias(world, "missing"), deleted, elsewhere, "#malformed"]) {
      const asAlias = await put({ alias });
      const asAlternative = await put({ alias: good, alt_aliases: [alias] });

      const errcode = alias === "#malformed" ? "M_INVALID_PARAM" : "M_BAD_ALIAS";
      expectMatrixError(asAlias, 400, errcode);
      expectMatrixError(asAlternative, 400, errcode);
    }
    expectEqual(await alice.state(roomId, "m.room.canonical_alias"), undefined, "the state");
    const content = { alias: good, alt_aliases: [alternative] };
    ok(await put(content));
    expectEqual(await alice.state(roomId, "m.room.canonical_alias"), content, "the state");
  },
);

check(
  "CS.alias.canonical-checked",
  "the server refuses canonical and alternative aliases that are no texts",
  {
    mutant: ['"alias":1', '"alt_aliases":[1]', '"alt_aliases":"'].flatMap((shape) => [
      altersAnswer(`breaks by ${shape}`, { path: CANONICAL, contains: shape }, { status: 500 }),
      claims(`takes ${shape}`, { path: CANONICAL, contains: shape }),
    ]),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const alias = newAlias(world);
    ok(await setAlias(alice, alias, roomId));

    for (const content of [{ alias: 1 }, { alt_aliases: [1] }, { alt_aliases: alias }]) {
      const target = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.canonical_alias/`;
      expectMatrixError(await alice.put(target, content), 400);
    }
    expectEqual(await alice.state(roomId, "m.room.canonical_alias"), undefined, "the state");
  },
);
