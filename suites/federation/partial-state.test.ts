import { type HttpResponse, path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { changed, held, when } from "#harness/peer/lies";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room as roomOf, type Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { host, joinThrough } from "./founding.ts";
import { member } from "./rejection.ts";

const SEND_JOIN = "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}";
const STATE_IDS = "GET /_matrix/federation/v1/state_ids/{roomId}";
const STATE = "GET /_matrix/federation/v1/state/{roomId}";
const MEMBERS = "/_matrix/client/v3/rooms/*/members";
const LAZY = { room: { state: { lazy_load_members: true } } };

interface Partial {
  readonly alice: Session;
  readonly peer: Peer;
  readonly room: PeerRoom;
  /** Lets alice's server have the state that it does not have yet. */
  readonly release: () => void;
}

/**
 * A room that alice has joined by an answer without members, while her server waits for the rest of the state.
 *
 * @throws Unsupported when the server asks for no such answers.
 */
async function joinPartially(world: World): Promise<Partial> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const room = host(peer);
  for (const name of ["one", "two", "three"]) {
    const user = peer.user(name);
    room.add(room.build(member(user, user, "join")));
  }
  const isReducible = ({ query }: { query: URLSearchParams }) =>
    query.get("omit_members") === "true";
  const withoutMembers = changed(({ state, ...body }) => ({
    ...body,
    members_omitted: true,
    state: (state as JsonObject[]).filter(({ type }) => type !== "m.room.member"),
  }));
  peer.on(SEND_JOIN, when(isReducible, withoutMembers));
  const { handler, release } = held();
  for (const route of [STATE_IDS, STATE]) peer.on(route, handler);

  ok(await joinThrough(alice, peer, room));

  const request = await peer.waitForRequest(SEND_JOIN);
  if (!isReducible(request)) world.needs("partial-state-joins");
  return { alice, peer, room, release };
}

function members({ alice, room }: Partial): Promise<HttpResponse> {
  return alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/members`);
}

/** That an answer of /members has all those who are in the room by the resident's account. */
function expectMembers(response: HttpResponse, { room }: Partial): void {
  const joined = eventsAt(ok(response), "chunk")
    .filter(({ content }) => content.membership === "join")
    .map(({ state_key }) => state_key);
  expectEqual(new Set(joined), new Set(room.joinedUsers()), "the members", response);
}

check(
  "FED.hs.partial-state-join",
  "the server lets a user join and send before it has the members, and then has the same as the resident",
  {
    mutant: [
      altersAnswer(
        "lets nobody send",
        { path: "/_matrix/client/v3/rooms/*/send/**" },
        { status: 503, body: { errcode: "M_UNKNOWN", error: "" } },
      ),
      altersAnswer("never learns of the others", { path: MEMBERS }, { remove: ["/chunk/0"] }),
    ],
  },
  async (world) => {
    const partial = await joinPartially(world);
    const { alice, peer, room, release } = partial;

    const id = await alice.send(room.roomId, "before the state is there");
    release();

    await peer.waitForPdu(room, "the message", (pdu) => pdu.id === id);
    await world.eventually(async () => expectMembers(await members(partial), partial));
  },
);

check(
  "FED.hs.partial-state-members-block",
  "the server shows no incomplete members, and goes on with lazy-loading syncs",
  {
    mutant: [
      altersAnswer("shows those that it has", { path: MEMBERS }, { remove: ["/chunk/0"] }),
      altersAnswer(
        "shows no such room",
        { path: "/_matrix/client/v3/sync" },
        { remove: ["/rooms/join"] },
      ),
    ],
  },
  async (world) => {
    const partial = await joinPartially(world);
    const { alice, room, release } = partial;

    const syncThenRelease = async () => {
      try {
        await alice.syncUntil(undefined, "the room", (body) => roomOf(body, "join", room.roomId), {
          filter: LAZY,
        });
      } finally {
        release();
      }
    };
    const [response] = await Promise.all([members(partial), syncThenRelease()]);

    if (response.status === 200) return expectMembers(response, partial);
    const isRetriable = response.status === 429 || response.status >= 500;
    expectThat(isRetriable, "the members or a retriable error", response.status, response);
    await world.eventually(async () => expectMembers(await members(partial), partial));
  },
);

check(
  "FED.hs.partial-state-restart",
  "the server goes on with a partial join after a crash",
  {
    isolated: {},
    deadlineMs: 180_000,
    mutant: altersAnswer("never learns of the others", { path: MEMBERS }, { remove: ["/chunk/0"] }),
  },
  async (world) => {
    const partial = await joinPartially(world);
    const { alice, peer, release } = partial;
    await peer.waitForRequest(STATE_IDS);

    await world.killAndRestart(alice.server.role);
    release();

    await world.eventually(async () => expectMembers(await members(partial), partial), {
      deadlineMs: 30_000,
    });
  },
);
