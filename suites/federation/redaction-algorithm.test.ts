import { isDeepStrictEqual } from "node:util";
import { listAt } from "#harness/match/json";
import { EVENT, type Meeting, meet, message } from "#harness/peer/meeting";
import type { Draft, PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { redact } from "#protocol/events/redact";
import { listed } from "./rejection.ts";

const VERSIONS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
const BACKFILL = "/_matrix/federation/v1/backfill/*";

check(
  "FED.sig.redaction-algorithm",
  "the server keeps of redacted events what their room version says",
  {
    mutant: altersAnswer(
      "keeps what nobody knows",
      { path: EVENT },
      { set: { "/content/x.more": 1 } },
    ),
    deadlineMs: 180_000,
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      const { alice, room, ids } = await redactAll(world, version);

      for (const id of ids) {
        const { json } = room.pdu(id);
        // Servers may keep these from clients, since nothing uses them any more (MSC2432).
        if (json.type === "m.room.aliases") continue;
        const { content } = await alice.event(room.roomId, id);

        const expected = redact(json, room.version).content;
        expectEqual(content, expected, `the content of ${json.type} in version ${version}`);
      }
    }
  },
);

check(
  "FED.sig.redaction-algorithm",
  "the server serves redacted events whose ids and signatures are still right",
  {
    mutant: altersAnswer(
      "redacts origin, membership and prev_state in every version",
      { from: "peer-*", path: BACKFILL },
      { remove: ["/pdus/*/origin", "/pdus/*/membership", "/pdus/*/prev_state"] },
    ),
    deadlineMs: 180_000,
  },
  async (world) => {
    for (const version of listed(world, ...VERSIONS)) {
      const { peer, room, ids } = await redactAll(world, version);

      const response = await peer.client().backfill(room.roomId, room.extremities, 100);

      const pdus = new Map(
        listAt(ok(response), "pdus").flatMap((pdu) =>
          isObject(pdu as JsonObject)
            ? [[eventId(pdu as JsonObject, room.version), pdu as JsonObject]]
            : [],
        ),
      );
      // The create event's id and signature are over what a redaction would keep, too.
      const create = room.stateEvent("m.room.create")?.id ?? "";
      for (const id of [create, ...ids]) {
        const { json } = room.pdu(id);
        const what = `${json.type} in version ${version}`;
        const served = pdus.get(id);
        expectEqual(served && eventId(served, room.version), id, `the id of ${what}`, response);
        const content = served?.content;
        const isWhole = isDeepStrictEqual(content, json.content);
        const redacted = redact(json, room.version).content;
        if (!isWhole) expectEqual(content, redacted, `the content of ${what}`, response);
        const problem = served && (await peer.signatureProblem(room, served));
        expectEqual(problem, undefined, `the problem with the signature of ${what}`, response);
      }
    }
  },
);

/**
 * A room with events of all types of which a redaction keeps something, some of it only in some versions. A user of the
 * peer has redacted each. The create event is left as it is: servers may refuse to redact it, since a room needs it.
 */
async function redactAll(
  world: World,
  version: string,
): Promise<Meeting & { readonly ids: readonly string[] }> {
  const creation = {
    creation_content: { "m.federate": true, "x.more": 1 },
    power_level_content_override: { users_default: 100 },
  };
  const meeting = await meet(world, { version, creation });
  const { alice, peer, room, mallory } = meeting;
  const ids: string[] = [];
  for (const draft of drafts(room, mallory, peer.user("member"))) {
    ids.push((await peer.send(room, draft)).id);
  }
  const redaction = (redacts: string, reason: string): Draft => ({
    type: "m.room.redaction",
    sender: mallory,
    redacts,
    content: { reason },
  });
  const { id: target } = await peer.send(room, message(mallory, "gone"));
  ids.push((await peer.send(room, redaction(target, "gone"))).id);
  for (const id of ids) await peer.send(room, redaction(id, "kept"));
  await peer.fence(room, alice);
  return { ...meeting, ids };
}

function drafts(room: PeerRoom, mallory: string, member: string): readonly Draft[] {
  const state = (type: string, content: JsonObject, stateKey = ""): Draft => ({
    type,
    sender: mallory,
    stateKey,
    content: { ...content, "x.more": 1 },
  });
  const levels = room.stateEvent("m.room.power_levels")?.content ?? {};
  return [
    {
      ...state("m.room.member", {}, member),
      sender: member,
      content: {
        membership: "join",
        displayname: "member",
        join_authorised_via_users_server: mallory,
        third_party_invite: {
          display_name: "m",
          signed: { mxid: member, token: "token", signatures: {} },
        },
      },
    },
    state("m.room.power_levels", {
      ...levels,
      ban: 51,
      events_default: 0,
      invite: 53,
      kick: 54,
      notifications: { room: 55 },
      redact: 56,
      state_default: 57,
      users_default: 100,
    }),
    state("m.room.join_rules", {
      join_rule: "public",
      allow: [{ type: "m.room_membership", room_id: room.roomId }],
    }),
    state("m.room.aliases", { aliases: [] }, mallory.slice(mallory.indexOf(":") + 1)),
    state("m.room.history_visibility", { history_visibility: "shared" }),
    state("m.room.topic", { topic: "gone" }),
    {
      type: "m.room.message",
      sender: mallory,
      content: { msgtype: "m.text", body: "gone" },
      beforeHash: (event) => ({
        ...event,
        origin: mallory.slice(mallory.indexOf(":") + 1),
        membership: "join",
        prev_state: [],
        "x.more": 1,
      }),
    },
  ];
}
