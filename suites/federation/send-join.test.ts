import type { HttpResponse } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { type Meeting, meet } from "#harness/peer/meeting";
import { stateShown } from "#harness/peer/room-state";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { parseEvent } from "#protocol/events/parse";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { SEND_JOIN } from "./handshake.ts";
import { listed, putLevels } from "./rejection.ts";

/** A room of several servers, whose auth chains hold more than its state. */
async function meetWithHistory(world: World, version: string): Promise<Meeting> {
  const meeting = await meet(world, { version });
  const { alice, peer, room } = meeting;
  const [present, gone] = await Promise.all([world.peer(), world.peer()]);
  const via = alice.server.serverName;
  await putLevels(meeting, { events_default: 1, users: { [meeting.mallory]: 1 } });
  await putLevels(meeting, { events_default: 0 });
  await alice.setState(room.roomId, "m.room.name", { name: "several servers" });
  const leaver = gone.user("leaver");
  await present.join(room.roomId, present.user("member"), { via });
  await gone.join(room.roomId, leaver, { via });
  const { id } = await gone.leave(room.roomId, leaver, { via });
  await peer.waitForPdu(room, "the leave", (pdu) => pdu.id === id);
  return meeting;
}

function eventsIn(body: unknown, key: string, version: RoomVersion): readonly RoomEvent[] {
  return listAt(body, key).map((json) => parseEvent(json as JsonObject, version));
}

/** That whatever the join or an event of the answer cites is in the answer, too. */
function expectClosed(response: HttpResponse, join: RoomEvent, version: RoomVersion): void {
  const events = [
    ...eventsIn(response.json, "state", version),
    ...eventsIn(response.json, "auth_chain", version),
  ];
  const ids = new Set(events.map(({ id }) => id));
  for (const { id, authEvents } of [join, ...events]) {
    for (const cited of authEvents) {
      expectThat(ids.has(cited), `${cited}, which ${id} cites, in the answer`, [...ids], response);
    }
  }
}

const CHAINLESS: Mutant = altersAnswer(
  "leaves the auth chain out",
  { from: "peer-*", path: SEND_JOIN },
  { set: { "/auth_chain": [] } },
);

check(
  "FED.hs.send-join-response",
  "the server answers send_join with the state before the join and its auth chain",
  {
    mutant: [
      CHAINLESS,
      altersAnswer(
        "leaves an event of the state out",
        { from: "peer-*", path: SEND_JOIN },
        { remove: ["/state/0"] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, peer, room } = await meetWithHistory(world, version);
      const { pdu } = await peer.prepare("join", room.roomId, peer.user("newcomer"));
      const before = [...(await stateShown(alice, room.roomId)).values()].sort();

      const response = await peer.client().sendJoin(room.roomId, pdu);

      const state = eventsIn(ok(response), "state", room.version);
      expectEqual(state.map(({ id }) => id).sort(), before, "the state", response);
      expectClosed(response, parseEvent(pdu.json, room.version), room.version);
    }
  },
);

check(
  "FED.hs.omit-members",
  "the server says so and names the servers when it leaves members out",
  {
    mutant: [
      CHAINLESS,
      altersAnswer(
        "does not say that members are missing",
        { from: "peer-*", path: SEND_JOIN },
        { set: { "/members_omitted": false } },
      ),
      altersAnswer(
        "names no server",
        { from: "peer-*", path: SEND_JOIN },
        { set: { "/members_omitted": true, "/servers_in_room": [] } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, room } = await meetWithHistory(world, version);
      const newcomer = await world.peer();
      const { pdu } = await newcomer.prepare("join", room.roomId, newcomer.user("newcomer"));
      const before = [...(await stateShown(alice, room.roomId)).values()].sort();
      const members = new Set(room.joinedServers());

      const response = await newcomer.client().sendJoin(room.roomId, pdu, { omit_members: true });

      const state = eventsIn(ok(response), "state", room.version);
      const ids = state.map(({ id }) => id).sort();
      expectClosed(response, parseEvent(pdu.json, room.version), room.version);
      if (at(response.json, "members_omitted") === true) {
        const isMember = (id: string) => room.find(id)?.event.type === "m.room.member";
        const others = (list: readonly string[]) => list.filter((id) => !isMember(id));
        expectEqual(others(ids), others(before), "the state but for members", response);
        const named = new Set(listAt(response.json, "servers_in_room"));
        expectEqual(named, members, "the servers before the join", response);
      } else {
        expectEqual(ids, before, "the whole state", response);
        world.note(`version ${version}: nothing was left out`);
      }
    }
  },
);
