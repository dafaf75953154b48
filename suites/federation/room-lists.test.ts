import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, type JsonObject, listAt, numberAt, textAt } from "#harness/match/json";
import type { FederationClient } from "#harness/peer/client";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const PUBLIC_ROOMS = "/_matrix/federation/v1/publicRooms";
const HIERARCHY = "/_matrix/federation/v1/hierarchy/*";
const PAGES_AT_MOST = 10;

/** @throws Unsupported when the list is kept from other servers. */
function listedIn(response: HttpResponse): JsonObject {
  if (response.status === 403) {
    throw new Unsupported("room list", "it is not told over federation");
  }
  return ok(response);
}

function roomIds(body: unknown): readonly string[] {
  return listAt(body, "chunk").map((entry) => textAt(entry, "room_id"));
}

check(
  "FED.query.public-rooms",
  "the server lists its published rooms page by page",
  {
    mutant: [
      altersRequest(
        "ignores the limit",
        { from: "peer-*", method: "GET", path: PUBLIC_ROOMS },
        { path: PUBLIC_ROOMS },
      ),
      altersRequest(
        "ignores since",
        { from: "peer-*", method: "POST", path: PUBLIC_ROOMS },
        { remove: ["/since"] },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const client = peer.client();
    const term = world.name("term").replace("-", "");
    const published = [await publish(alice, `${term} 1`), await publish(alice, `${term} 2`)];

    const first = await client.publicRooms({ limit: 1 });
    const found = await world.eventually(async () => {
      const pages = await search(client, term);
      expectEqual(new Set(pages), new Set(published), "the rooms of all pages");
      return pages;
    });

    const body = listedIn(first);
    expectEqual(roomIds(body).length, 1, "the rooms of a page of one", first);
    textAt(body, "next_batch");
    expectEqual(found.length, published.length, "the rooms, none twice");
  },
);

check(
  "FED.query.public-rooms",
  "the server finds the published rooms that a filter asks for",
  {
    mutant: altersRequest(
      "ignores the filter",
      { from: "peer-*", method: "POST", path: PUBLIC_ROOMS },
      { remove: ["/filter"] },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const term = world.name("term").replace("-", "");
    const wanted = await publish(alice, `with ${term} in it`);
    await publish(alice, `without ${world.name("it")}`);
    await alice.createRoom({ preset: "public_chat", name: `${term} unpublished` });

    const rooms = await world.eventually(async () => {
      const response = await peer
        .client()
        .post(PUBLIC_ROOMS, { limit: 50, filter: { generic_search_term: term } });
      const found = roomIds(listedIn(response));
      expectThat(found.includes(wanted), "the published room", found, response);
      return found;
    });

    expectEqual(rooms, [wanted], "the rooms");
  },
);

/** All rooms that a search finds, by pages of one. */
async function search(client: FederationClient, term: string): Promise<readonly string[]> {
  const found: string[] = [];
  let since: unknown;
  for (let page = 0; page < PAGES_AT_MOST; page++) {
    const filter = { generic_search_term: term };
    const response = await client.post(PUBLIC_ROOMS, {
      limit: 1,
      filter,
      ...(since === undefined ? {} : { since }),
    });
    const body = listedIn(response);
    expectThat(roomIds(body).length <= 1, "at most one room", body, response);
    found.push(...roomIds(body));
    since = body.next_batch;
    if (since === undefined) return found;
  }
  return found;
}

async function publish(alice: Session, name: string): Promise<string> {
  return await alice.createRoom({ preset: "public_chat", visibility: "public", name });
}

check(
  "FED.query.hierarchy",
  "the server tells of a space's children what the asking server may know",
  {
    mutant: [
      altersAnswer(
        "leaves the private room out",
        { from: "peer-*", path: HIERARCHY, status: 200 },
        { set: { "/inaccessible_children": [] } },
      ),
      altersAnswer(
        "ignores suggested_only",
        { from: "peer-*", path: HIERARCHY, contains: "suggested_only=true" },
        { set: { "/children/-": { room_id: "!more:hs1", name: "more" } } },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const { serverName } = alice.server;
    const space = await alice.createRoom({
      preset: "public_chat",
      creation_content: { type: "m.space" },
    });
    const secret = world.name("secret");
    const open = await alice.createRoom({ preset: "public_chat", name: "open" });
    const suggested = await alice.createRoom({ preset: "public_chat", name: "suggested" });
    const closed = await alice.createRoom({ preset: "private_chat", name: secret });
    const unknown = `!${world.name("unknown")}:${serverName}`;
    for (const child of [open, suggested, closed, unknown]) {
      const content = { via: [serverName], suggested: child === suggested };
      await alice.setState(space, "m.space.child", content, child);
    }
    const client = peer.client();

    const children = new Set([open, suggested]);
    // A server may learn in the background what is a space.
    const all = await world.eventually(async () => {
      const response = await client.hierarchy(space);
      expectEqual(childrenOf(ok(response)), children, "the children", response);
      return response;
    });
    const narrowed = await client.hierarchy(space, { suggested_only: true });

    const body = ok(all);
    expectEqual(at(body, "room", "room_id"), space, "the space", all);
    const links = listAt(body, "room", "children_state");
    const linked = new Set(links.map((event) => textAt(event, "state_key")));
    expectEqual(linked, new Set([open, suggested, closed, unknown]), "the links", all);
    for (const link of links) numberAt(link, "origin_server_ts");
    expectEqual(body.inaccessible_children, [closed], "the inaccessible children", all);
    expectThat(!all.text.includes(secret), "no name of the private room", all.text, all);
    expectStatus(narrowed, 200);
    expectEqual(childrenOf(narrowed.json), new Set([suggested]), "what is suggested", narrowed);
    expectEqual(at(narrowed.json, "inaccessible_children"), [], "what is not shown", narrowed);
  },
);

check(
  "FED.query.hierarchy",
  "the server answers 404 M_NOT_FOUND for a room that it does not know, and for one that is closed",
  {
    mutant: altersAnswer(
      "answers 200 for an unknown room",
      { from: "peer-*", path: HIERARCHY, status: 404 },
      { status: 200 },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const closed = await alice.createRoom({ preset: "private_chat" });
    const unknown = `!${world.name("unknown")}:${alice.server.serverName}`;

    const responses = [
      await peer.client().hierarchy(unknown),
      await peer.client().hierarchy(closed),
    ];

    for (const response of responses) expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

function childrenOf(body: unknown): ReadonlySet<string> {
  return new Set(listAt(body, "children").map((child) => textAt(child, "room_id")));
}
