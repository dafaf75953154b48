import { type HttpResponse, path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { strippedState } from "#harness/peer/hosting";
import { type Meeting, meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { allow, deny } from "./acl.ts";
import { refusesAs, refusesNothing } from "./handshake.ts";
import { listed, member } from "./rejection.ts";

type Requests = Readonly<Record<string, () => Promise<HttpResponse>>>;

/** A request for each endpoint, each of which the server answers with 200 but for the ACL. */
async function prepareRequests(meeting: Meeting, bob: Session): Promise<Requests> {
  const { alice, peer, room, mallory } = meeting;
  const { roomId } = room;
  const client = peer.client();
  const knocker = peer.user("knocker");
  const [invited, invited1, leaver, leaver1] = ["invited", "invited", "leaver", "leaver"].map(
    (name) => peer.user(name),
  ) as [string, string, string, string];
  peer.acceptInvites();
  for (const user of [leaver, leaver1]) await peer.join(roomId, user);
  for (const user of [invited, invited1]) {
    ok(await alice.post(path`/_matrix/client/v3/rooms/${roomId}/invite`, { user_id: user }));
    await peer.waitForPdu(room, "the invite", ({ json }) => json.state_key === user);
  }
  const rules = await alice.setState(roomId, "m.room.join_rules", { join_rule: "knock" });
  await peer.waitForPdu(room, "the join rules", ({ id }) => id === rules);
  const join = room.build(member(invited, invited, "join"));
  const join1 = room.build(member(invited1, invited1, "join"));
  const leave = room.build(member(leaver, leaver, "leave"));
  const leave1 = room.build(member(leaver1, leaver1, "leave"));
  const knock = room.build(member(knocker, knocker, "knock"));
  const invite = room.build(member(mallory, bob.userId, "invite"));
  return {
    make_join: () => client.makeJoin(roomId, invited),
    make_leave: () => client.makeLeave(roomId, leaver),
    make_knock: () => client.makeKnock(roomId, knocker),
    send_join: () => client.sendJoin(roomId, join),
    "send_join (v1)": () =>
      client.put(path`/_matrix/federation/v1/send_join/${roomId}/${join1.id}`, join1.json),
    send_leave: () => client.sendLeave(roomId, leave),
    "send_leave (v1)": () =>
      client.put(path`/_matrix/federation/v1/send_leave/${roomId}/${leave1.id}`, leave1.json),
    send_knock: () => client.sendKnock(roomId, knock),
    invite: () =>
      client.invite(roomId, invite.id, {
        event: invite.json,
        room_version: room.version.id,
        invite_room_state: strippedState(room),
      }),
    state: () => client.state(roomId, rules),
    state_ids: () => client.stateIds(roomId, rules),
    backfill: () => client.backfill(roomId, [rules], 10),
    event_auth: () => client.eventAuth(roomId, rules),
    get_missing_events: () => client.missingEvents(roomId, [], [rules]),
  };
}

const API = "/_matrix/federation";

check(
  "FED.hs.acl",
  "the server refuses every request about a room by a server that its ACL denies",
  {
    mutant: [
      refusesNothing("leaves make_knock open", `${API}/v1/make_knock/**`),
      refusesNothing("leaves the first version of send_join open", `${API}/v1/send_join/**`),
      refusesNothing("leaves get_missing_events open", `${API}/v1/get_missing_events/**`),
      refusesAs("refuses for another reason", `${API}/v2/invite/**`, 403, 400, "M_BAD_JSON"),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [bob, meeting] = await Promise.all([
        world.user("bob"),
        meet(world, { version, creation: { power_level_content_override: { invite: 0 } } }),
      ]);
      const requests = await prepareRequests(meeting, bob);

      await deny(meeting);
      for (const [endpoint, send] of Object.entries(requests)) {
        const response = await send();
        // Whoever has no first version of an endpoint has nothing to protect.
        if (endpoint.endsWith("(v1)") && at(response.json, "errcode") === "M_UNRECOGNIZED")
          continue;
        expectMatrixError(response, 403, "M_FORBIDDEN");
      }
      await allow(meeting);

      for (const [endpoint, send] of Object.entries(requests)) {
        const response = await send();
        if (endpoint.endsWith("(v1)") && at(response.json, "errcode") === "M_UNRECOGNIZED")
          continue;
        const what = `200 from ${endpoint} once it is allowed`;
        expectThat(response.status === 200, what, response.status, response);
      }
    }
  },
);

check(
  "FED.hs.acl",
  "the server refuses invites of a denied server in the endpoint for version 1",
  { mutant: refusesNothing("leaves the first version of invite open", `${API}/v1/invite/**`) },
  async (world) => {
    const creation = { power_level_content_override: { invite: 0 } };
    const [bob, meeting] = await Promise.all([
      world.user("bob"),
      meet(world, { version: "1", creation }),
    ]);
    const { peer, room, mallory } = meeting;
    const { id, json } = room.build(member(mallory, bob.userId, "invite"));
    const target = path`/_matrix/federation/v1/invite/${room.roomId}/${id}`;

    await deny(meeting);
    const denied = await peer.client().put(target, json);
    await allow(meeting);
    const allowed = await peer.client().put(target, json);

    if (at(denied.json, "errcode") === "M_UNRECOGNIZED") return;
    expectMatrixError(denied, 403, "M_FORBIDDEN");
    expectThat(allowed.status === 200, "200 once it is allowed", allowed.status, allowed);
  },
);
