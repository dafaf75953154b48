/** The federation peer of harness/peer against a real server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CheckFailure } from "#harness/errors";
import { path } from "#harness/http/client";
import { html, huge, late, refused, times, truncated, withheld } from "#harness/peer/lies";
import type { Draft } from "#harness/peer/room";
import { expectStatus, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

const VERSIONS = ["1", "6", "10", "11", "12"];
let server: DeploymentForSpecs;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

function world(): World {
  return server.world("FED.sig.destination");
}

function message(sender: string, body: string): Draft {
  return { type: "m.room.message", sender, content: { msgtype: "m.text", body } };
}

test("a server that sends through the gateway has the feature", () => {
  expect(server.deployment.features).toContain("fedpeer");
  expect(server.deployment.features).toContain("fedproxy");
});

test.for(["address", "delegated"] as const)("is found by a name of kind %s", async (kind) => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer({ kind })]);
  const roomId = await alice.createRoom({ preset: "public_chat" });
  const room = await peer.join(roomId, peer.user("mallory"));
  const sent = await alice.send(roomId, "to the peer");
  await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
  const { headers } = await peer.waitForRequest("PUT /_matrix/federation/v1/send/{txnId}");
  expect(headers.host).toBe(peer.delegate ?? peer.serverName);
});

test.for(VERSIONS)(
  "joins a room of version %s, talks both ways, and is not believed",
  async (version) => {
    await using here = world();
    const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
    const roomId = await alice.createRoom({ preset: "public_chat", room_version: version });
    const mallory = peer.user("mallory");
    const room = await peer.join(roomId, mallory);
    expect(room.version.id).toBe(version);
    expect(room.membershipOf(alice.userId)).toBe("join");

    const heard = await peer.send(room, message(mallory, "from the peer"));
    await alice.syncUntilEvent(undefined, roomId, heard.id);
    const said = await alice.send(roomId, "from the server");
    const { problem } = await peer.waitForPdu(room, "the message", ({ id }) => id === said);
    expect(problem).toBeUndefined();
    expect(room.extremities).toEqual([said]);

    const forged = room.build({ ...message(mallory, "forged"), signers: [] });
    await peer.transmit(room, forged);
    await peer.fence(room, alice);
    const response = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/event/${forged.id}`);
    expectStatus(response, 404);
    here.verify();
  },
);

test.for(VERSIONS)("hosts a room of version %s", async (version) => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const bob = peer.user("bob");
  const topic = { type: "m.room.topic", stateKey: "", content: { topic: "hosted" } };
  const room = peer.createRoom({ version, creator: bob, events: [topic] });
  peer.serve(room);

  const query = { via: peer.serverName, server_name: peer.serverName };
  ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, query));
  expect(room.membershipOf(alice.userId)).toBe("join");
  expect(await alice.state(room.roomId, "m.room.topic")).toEqual({ topic: "hosted" });

  const said = await alice.send(room.roomId, "thank you");
  const { problem } = await peer.waitForPdu(room, "the message", ({ id }) => id === said);
  expect(problem).toBeUndefined();
  await peer.fence(room, alice);
  here.verify();
});

test("invites, and is invited", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const bob = peer.user("bob");
  const room = peer.createRoom({ creator: bob, joinRule: "invite" });
  peer.serve(room);
  peer.acceptInvites();

  await peer.invite(room, bob, alice.userId);
  await alice.syncUntil(undefined, "the invite", (body) =>
    JSON.stringify(body).includes(room.roomId) ? true : undefined,
  );
  ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`));
  const roomId = await alice.createRoom({ preset: "private_chat" });
  ok(await alice.post(path`/_matrix/client/v3/rooms/${roomId}/invite`, { user_id: bob }));
  const invite = await peer.invites.wait("the invite", (candidate) => candidate.roomId === roomId);
  const joined = await peer.join(roomId, bob);

  expect(room.membershipOf(alice.userId)).toBe("join");
  expect(invite.body.room_version).toBe(joined.version.id);
  expect(joined.membershipOf(bob)).toBe("join");
  here.verify();
});

test("knocks, leaves, and lets in by a restricted join", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const bob = peer.user("bob");
  const knocked = await alice.createRoom({
    preset: "private_chat",
    initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
  });
  const gate = peer.createRoom({ creator: bob });
  const allow = [{ type: "m.room_membership", room_id: gate.roomId }];
  const room = peer.createRoom({ creator: bob, joinRule: { join_rule: "restricted", allow } });
  peer.serve(room);

  const { state } = await peer.knock(knocked, bob);
  await peer.leave(knocked, bob);
  ok(
    await alice.post(
      path`/_matrix/client/v3/join/${room.roomId}`,
      {},
      { via: peer.serverName, server_name: peer.serverName },
    ),
  );

  expect(state.length).toBeGreaterThan(0);
  const joined = room.stateEvent("m.room.member", alice.userId);
  expect(joined?.content.join_authorised_via_users_server).toBe(bob);
});

test("fills gaps, also after having refused to", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const roomId = await alice.createRoom({ preset: "public_chat" });
  const mallory = peer.user("mallory");
  const room = await peer.join(roomId, mallory);
  peer.serve(room);
  const missed = room.build(message(mallory, "missed"));
  room.add(missed);
  const refusal = peer.on(
    "POST /_matrix/federation/v1/get_missing_events/{roomId}",
    times(1, refused(500, "M_UNKNOWN")),
  );

  await peer.send(room, message(mallory, "on top"));
  await peer.fence(room, alice);
  const response = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/event/${missed.id}`);

  expect(refusal.calls).toBeGreaterThan(1);
  ok(response);
  here.verify();
});

const SEND_JOIN = "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}";

test("hosts a room late, and without a part of its state", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const topic = { type: "m.room.topic", stateKey: "", content: { topic: "withheld" } };
  const room = peer.createRoom({ creator: peer.user("bob"), events: [topic] });
  peer.serve(room);
  peer.on(SEND_JOIN, withheld(room, room.stateEvent("m.room.topic")?.id ?? ""));
  peer.on(SEND_JOIN, late(200));

  const query = { via: peer.serverName, server_name: peer.serverName };
  ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, query));

  expect(await alice.state(room.roomId, "m.room.topic")).toBeUndefined();
});

test.for([
  ["no JSON", html()],
  ["half an answer", truncated()],
  ["200 MB", huge(200_000_000)],
] as const)("a join that gets %s fails", async ([, lie]) => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const room = peer.createRoom({ creator: peer.user("bob") });
  peer.serve(room);
  const told = peer.on(SEND_JOIN, lie);

  const query = { via: peer.serverName, server_name: peer.serverName };
  const response = await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, query);

  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(told.calls).toBeGreaterThan(0);
});

test("what nothing serves is told at the end", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);

  const alias = `#nobody:${peer.serverName}`;
  await alice.get(path`/_matrix/client/v3/directory/room/${alias}`);

  expect(() => here.verify()).toThrow(
    /got 1 requests that nothing serves: GET \/_matrix\/federation\/v1\/query\/directory/,
  );
});

test("what does not come fails with what came instead", async () => {
  await using here = world();
  const [alice, peer] = await Promise.all([here.user("alice"), here.peer()]);
  const roomId = await alice.createRoom({ preset: "public_chat" });
  const room = await peer.join(roomId, peer.user("mallory"));
  await alice.send(roomId, "something");
  await peer.waitForPdu(room, "the message", ({ json }) => json.type === "m.room.message");

  const waiting = peer.waitForPdu(room, "a topic", ({ json }) => json.type === "m.room.topic", {
    deadlineMs: 10,
  });

  await expect(waiting).rejects.toThrow(CheckFailure);
  await expect(waiting).rejects.toThrow(
    /a topic in a transaction within 20 ms, got \d+ other PDUs/,
  );
});
