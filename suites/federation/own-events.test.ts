import { path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { type Meeting, meet } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { citableState } from "#protocol/auth/selection";
import type { JsonObject } from "#protocol/events/event";
import { parseEvent } from "#protocol/events/parse";
import { listed } from "./rejection.ts";

/** Waits for what the server made, by its type, state key and a text in its content. */
async function made(
  { peer, room }: Meeting,
  type: string,
  text: string,
  stateKey?: string,
): Promise<Pdu> {
  const { pdu } = await peer.waitForPdu(
    room,
    `${type} with ${text}`,
    ({ json }) =>
      json.type === type &&
      json.state_key === stateKey &&
      JSON.stringify(json.content).includes(text),
  );
  return pdu;
}

/** What the event has to cite: all of the state before it that the selection names. */
function selected({ room }: Meeting, json: JsonObject): ReadonlySet<string> {
  const event = parseEvent(json, room.version);
  const state = room.stateAt(event.prevEvents);
  const ids = citableState(event, room.version).map(
    ({ type, stateKey }) => room.stateEvent(type, stateKey, state)?.id,
  );
  return new Set(ids.filter((id) => id !== undefined));
}

check(
  "FED.auth.own-auth-events",
  "the server cites in its events what the selection names, once, and nothing else",
  {
    mutant: [
      altersAnswer(
        "cites something else as well",
        { from: "peer-*", path: "/_matrix/federation/v1/event/*" },
        { set: { "/pdus/0/auth_events/-1": "$else" } },
      ),
      altersAnswer(
        "leaves something out",
        { from: "peer-*", path: "/_matrix/federation/v1/event/*" },
        { remove: ["/pdus/0/auth_events/0"] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "11", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const [bob, charlie, dave] = await world.users("bob", "charlie", "dave");
      const { roomId } = room;
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await dave.join(allowed);
      const allow = [{ type: "m.room_membership", room_id: allowed }];
      const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};

      await alice.send(roomId, "hello");
      await alice.setState(roomId, "m.room.topic", { topic: "new" });
      await bob.join(roomId);
      await alice.invite(roomId, charlie);
      await alice.kick(roomId, bob);
      await alice.ban(roomId, bob);
      await alice.setState(roomId, "m.room.power_levels", { ...levels, invite: 1 });
      await alice.setState(roomId, "m.room.join_rules", { join_rule: "restricted", allow });
      ok(await dave.post(path`/_matrix/client/v3/join/${roomId}`));
      await charlie.join(roomId);
      await charlie.leave(roomId);

      const found = [
        await made(meeting, "m.room.message", "hello"),
        await made(meeting, "m.room.topic", "new", ""),
        await made(meeting, "m.room.member", "join", bob.userId),
        await made(meeting, "m.room.member", "invite", charlie.userId),
        await made(meeting, "m.room.member", "leave", bob.userId),
        await made(meeting, "m.room.member", "ban", bob.userId),
        await made(meeting, "m.room.power_levels", '"invite":1', ""),
        await made(meeting, "m.room.join_rules", "restricted", ""),
        await made(meeting, "m.room.member", "join_authorised_via_users_server", dave.userId),
        await made(meeting, "m.room.member", "join", charlie.userId),
        await made(meeting, "m.room.member", "leave", charlie.userId),
      ];
      for (const { id, json } of found) {
        const response = await peer.client(alice.server.serverName).event(id);
        const cited = listAt(ok(response), "pdus", 0, "auth_events");
        const what = `the auth events of ${json.type} ${at(json, "content", "membership") ?? ""}`;
        expectEqual(cited.length, new Set(cited).size, `the number of ${what}`, response);
        expectEqual(new Set(cited), selected(meeting, json), what, response);
      }
    }
  },
);
