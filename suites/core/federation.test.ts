import { path } from "#harness/http/client";
import { at, eventsAt, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, refuses } from "#harness/world/mutants";
import { room, type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** A host that nobody has: what a server sees of a peer that is gone. */
const DEAD = "dead.invalid:8448";
const JOIN = "/_matrix/client/v3/join/*";

async function pair(world: World): Promise<[Session, Session]> {
  return await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
}

/** A public room of Alice's on hs1 that Bob of hs2 has joined. */
async function sharedRoom(world: World, options = {}): Promise<[Session, Session, string]> {
  const [alice, bob] = await pair(world);
  const roomId = await alice.createRoom({ preset: "public_chat", ...options });
  await bob.joinWhole(roomId, alice);
  return [alice, bob, roomId];
}

async function joinedMembers(session: Session, roomId: string): Promise<string[]> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/joined_members`);
  return Object.keys(ok(response).joined as object).sort();
}

check(
  "CS.fed.join-alias-and-via",
  "a remote room is joined by alias, by id with via, and past a dead via",
  {
    mutant: refuses(
      "asks only the first via",
      { method: "POST", path: JOIN, contains: "dead" },
      502,
      "M_UNKNOWN",
    ),
  },
  async (world) => {
    const [alice, bob, carol, dave] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("carol", "hs2"),
      world.user("dave", "hs2"),
    ]);
    const localpart = world.name("room");
    const roomId = await alice.createRoom({ preset: "public_chat", room_alias_name: localpart });
    // The second room is unknown to hs2 when its via list begins with a dead server.
    const otherId = await alice.createRoom({ preset: "public_chat" });
    const hs1 = alice.server.serverName;

    const byAlias = await bob.post(path`/_matrix/client/v3/join/${`#${localpart}:${hs1}`}`);
    const byId = await carol.post(
      path`/_matrix/client/v3/join/${roomId}`,
      {},
      { via: hs1, server_name: hs1 },
    );
    const pastDead = await dave.post(
      path`/_matrix/client/v3/join/${otherId}`,
      {},
      { via: [DEAD, hs1], server_name: [DEAD, hs1] },
    );

    expectEqual(ok(byAlias).room_id, roomId, "room_id", byAlias);
    expectEqual(ok(byId).room_id, roomId, "room_id", byId);
    expectEqual(ok(pastDead).room_id, otherId, "room_id", pastDead);
    const members = [alice.userId, bob.userId, carol.userId].sort();
    await world.eventually(async () => {
      expectEqual(await joinedMembers(alice, roomId), members, "members on hs1");
      expectEqual(await joinedMembers(bob, roomId), members, "members on hs2");
    });
  },
);

check(
  "CS.fed.join-errors",
  "the server passes on why a remote join was refused",
  {
    mutant: altersAnswer(
      "turns every refusal into 404",
      { method: "POST", path: JOIN, status: 403 },
      { status: 404, set: { "/errcode": "M_NOT_FOUND" } },
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const [closed, banning, local] = await Promise.all([
      alice.createRoom({ preset: "private_chat" }),
      alice.createRoom({ preset: "public_chat" }),
      alice.createRoom({ preset: "public_chat", creation_content: { "m.federate": false } }),
    ]);
    await alice.ban(banning, bob);
    const join = (roomId: string, via: string) =>
      bob.post(path`/_matrix/client/v3/join/${roomId}`, {}, { via, server_name: via });

    for (const roomId of [closed, banning, local]) {
      expectMatrixError(await join(roomId, alice.server.serverName), 403, "M_FORBIDDEN");
    }
    const dead = await join(await alice.createRoom({ preset: "public_chat" }), DEAD);
    expectMatrixError(dead, [400, 403, 404, 502]);
    const joined = ok(await bob.get("/_matrix/client/v3/joined_rooms")).joined_rooms;
    expectEqual(joined, [], "joined_rooms after refused joins");
  },
);

check(
  "CS.fed.messages-both-ways",
  "messages and state pass both ways, unchanged and in the sender's order",
  {
    mutant: altersAnswer(
      "changes a message on the way",
      { path: "/_matrix/client/v3/sync" },
      { replace: [["ping 3 of", "pong 3 of"]] },
    ),
  },
  async (world) => {
    const [alice, bob, roomId] = await sharedRoom(world);
    const [aliceSince, bobSince] = await Promise.all([alice.syncToken(), bob.syncToken()]);
    const sent: { id: string; body: string; sender: string }[] = [];

    for (let round = 0; round < 10; round++) {
      for (const session of [alice, bob]) {
        const body = `ping ${round} of ${session.localpart}`;
        sent.push({ id: await session.send(roomId, body), body, sender: session.userId });
      }
    }
    const topic = world.name("topic");
    await bob.put(path`/_matrix/client/v3/rooms/${roomId}/state/m.room.topic/`, { topic });
    await alice.setState(roomId, "m.room.topic", { topic });

    for (const [session, since] of [
      [alice, aliceSince],
      [bob, bobSince],
    ] as const) {
      const seen = new Map<string, { body: string; at: number }>();
      let position = 0;
      await session.syncUntil(
        since,
        `all ${sent.length} messages and the topic`,
        (body) => {
          for (const event of timeline(body, roomId)) {
            position++;
            if (event.type === "m.room.message")
              seen.set(event.event_id, { body: String(event.content.body), at: position });
            if (event.type === "m.room.topic")
              seen.set("topic", { body: String(event.content.topic), at: position });
          }
          return seen.has("topic") && sent.every(({ id }) => seen.has(id)) ? true : undefined;
        },
        { filter: { room: { timeline: { limit: 100 } } } },
      );
      for (const { id, body } of sent) expectEqual(seen.get(id)?.body, body, `body of ${id}`);
      for (const { userId } of [alice, bob]) {
        const order = sent
          .filter(({ sender }) => sender === userId)
          .map(({ id }) => seen.get(id)?.at ?? 0);
        expectEqual(
          order,
          [...order].sort((a, b) => a - b),
          `order of ${userId}'s messages`,
        );
      }
      expectEqual((await session.state(roomId, "m.room.topic"))?.topic, topic, "topic");
    }
  },
);

check(
  "CS.fed.invite",
  "a remote invite shows stripped state, and can be accepted, rejected and rescinded",
  {
    mutant: [
      altersAnswer(
        "shows no m.room.create in invites",
        { path: "/_matrix/client/v3/sync" },
        { replace: [['"type":"m.room.create"', '"type":"m.room.hidden"']] },
      ),
      altersAnswer(
        "keeps a rescinded invite",
        { path: "/_matrix/client/v3/sync" },
        { remove: ["/rooms/leave"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const name = world.name("room");
    let since = await bob.syncToken();
    const invited = async (roomId: string) => {
      const { found, since: next } = await bob.syncUntil(since, `an invite to ${roomId}`, (body) =>
        room(body, "invite", roomId),
      );
      since = next;
      return eventsLike(found);
    };
    const left = async (roomId: string) => {
      const seen = await bob.syncUntil(since, `${roomId} under rooms.leave`, (body) =>
        room(body, "leave", roomId),
      );
      since = seen.since;
    };

    const accepted = await alice.createRoom({
      preset: "private_chat",
      name,
      invite: [bob.userId],
      is_direct: true,
    });
    const stripped = await invited(accepted);
    const types = stripped.map(({ type }) => type);
    for (const type of ["m.room.create", "m.room.name", "m.room.join_rules", "m.room.member"]) {
      expectThat(types.includes(type), `${type} in invite_state`, types);
    }
    const own = stripped.find(
      ({ type, state_key }) => type === "m.room.member" && state_key === bob.userId,
    );
    expectEqual(at(own, "content", "is_direct"), true, "is_direct of the invite");
    ok(await bob.post(path`/_matrix/client/v3/join/${accepted}`));

    const rejected = await alice.createRoom({ preset: "private_chat" });
    for (let round = 0; round < 2; round++) {
      await alice.invite(rejected, bob);
      await invited(rejected);
      ok(await bob.post(path`/_matrix/client/v3/rooms/${rejected}/leave`));
      await left(rejected);
      await world.eventually(async () => {
        const membership = at(
          await alice.state(rejected, "m.room.member", bob.userId),
          "membership",
        );
        expectEqual(membership, "leave", "Bob's membership on hs1 after rejecting");
      });
    }

    const rescinded = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await invited(rescinded);
    ok(await alice.post(path`/_matrix/client/v3/rooms/${rescinded}/kick`, { user_id: bob.userId }));
    await left(rescinded);

    const emptied = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await invited(emptied);
    await alice.leave(emptied);
    ok(await bob.post(path`/_matrix/client/v3/rooms/${emptied}/leave`));
    await left(emptied);

    // Once hs2 is in the room, the invite of a second user of hs2 takes another path.
    const carol = await world.user("carol", "hs2");
    await alice.invite(accepted, carol);
    await carol.syncUntil(undefined, `an invite to ${accepted}`, (body) =>
      room(body, "invite", accepted),
    );
    ok(await carol.post(path`/_matrix/client/v3/join/${accepted}`));
  },
);

function eventsLike(part: unknown): { type: string; state_key?: string; content: unknown }[] {
  return listAt(part, "invite_state", "events") as {
    type: string;
    state_key?: string;
    content: unknown;
  }[];
}

check(
  "CS.fed.invite-errors",
  "the server does not claim to have invited where it could not",
  {
    mutant: {
      name: "answers 200 to an invite that did not arrive",
      rules: [
        {
          match: { method: "POST", path: "/_matrix/client/v3/rooms/*/invite" },
          phase: "processed",
          action: { kind: "answer", status: 200, body: {} },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const local = await alice.createRoom({ creation_content: { "m.federate": false } });
    const open = await alice.createRoom();
    const ghost = `@ghost:${DEAD}`;

    const forbidden = await alice.post(path`/_matrix/client/v3/rooms/${local}/invite`, {
      user_id: bob.userId,
    });
    const unreachable = await alice.post(path`/_matrix/client/v3/rooms/${open}/invite`, {
      user_id: ghost,
    });

    expectMatrixError(forbidden, 403, "M_FORBIDDEN");
    expectThat(
      unreachable.status >= 400,
      "an error with an errcode",
      `${unreachable.status}`,
      unreachable,
    );
    expectMatrixError(unreachable, unreachable.status);
    expectEqual(
      await alice.state(open, "m.room.member", ghost),
      undefined,
      "member event of the unreachable user",
    );
  },
);

check(
  "CS.fed.leave-ban-kick",
  "leave, kick, ban and unban act across servers",
  {
    mutant: {
      name: "lets a banned remote user send",
      rules: [
        {
          match: { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/**", status: 403 },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { event_id: "$claimed" } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob, roomId] = await sharedRoom(world);
    const membership = async (session: Session, user: Session) =>
      at(await session.state(roomId, "m.room.member", user.userId), "membership");
    const seenByAlice = (expected: string) =>
      world.eventually(async () =>
        expectEqual(await membership(alice, bob), expected, "Bob's membership on hs1"),
      );
    const gone = async (since: string) => {
      await bob.syncUntil(since, `${roomId} under rooms.leave`, (body) =>
        room(body, "leave", roomId),
      );
    };

    await bob.leave(roomId);
    await seenByAlice("leave");

    await bob.joinWhole(roomId, alice);
    let since = await bob.syncToken();
    await alice.kick(roomId, bob, "kicked");
    await gone(since);

    await bob.joinWhole(roomId, alice);
    since = await bob.syncToken();
    await alice.ban(roomId, bob, "banned");
    await gone(since);
    const send = await bob.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      {
        msgtype: "m.text",
        body: "still here",
      },
    );
    expectMatrixError(send, 403, "M_FORBIDDEN");
    const via = alice.server.serverName;
    const rejoin = () =>
      bob.post(path`/_matrix/client/v3/join/${roomId}`, {}, { via, server_name: via });
    expectMatrixError(await rejoin(), 403, ["M_FORBIDDEN", "M_BAD_STATE"]);

    ok(await alice.post(path`/_matrix/client/v3/rooms/${roomId}/unban`, { user_id: bob.userId }));
    ok(await rejoin());
    await seenByAlice("join");
  },
);

check(
  "CS.fed.alias",
  "the server resolves remote aliases and tells unknown from unreachable",
  {
    mutant: altersAnswer(
      "answers 200 without servers",
      { method: "GET", path: "/_matrix/client/v3/directory/room/*", status: 200 },
      { set: { "/servers": [] } },
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const localpart = world.name("alias");
    const roomId = await alice.createRoom({ preset: "public_chat", room_alias_name: localpart });
    const hs1 = alice.server.serverName;
    const resolve = (alias: string) => bob.get(path`/_matrix/client/v3/directory/room/${alias}`);

    const known = await resolve(`#${localpart}:${hs1}`);
    const unknown = await resolve(`#${world.name("none")}:${hs1}`);
    const dead = await resolve(`#any:${DEAD}`);

    const body = ok(known);
    expectEqual(body.room_id, roomId, "room_id", known);
    expectThat(
      listAt(body, "servers").includes(hs1),
      `${hs1} among the servers`,
      body.servers,
      known,
    );
    expectMatrixError(unknown, 404, "M_NOT_FOUND");
    expectMatrixError(dead, [404, 502]);
  },
);

check(
  "CS.fed.profile",
  "the server fetches remote profiles and passes changes on to shared rooms",
  {
    mutant: altersAnswer(
      "leaves the display name out of remote profiles",
      { method: "GET", path: "/_matrix/client/v3/profile/*", status: 200 },
      { remove: ["/displayname"] },
    ),
  },
  async (world) => {
    const [alice, bob, roomId] = await sharedRoom(world);
    const name = world.name("Bobby");
    const profile = (userId: string) => alice.get(path`/_matrix/client/v3/profile/${userId}`);

    ok(
      await bob.put(path`/_matrix/client/v3/profile/${bob.userId}/displayname`, {
        displayname: name,
      }),
    );
    const custom = await bob.put(path`/_matrix/client/v3/profile/${bob.userId}/org.example.k`, {
      "org.example.k": 1,
    });

    const found = await profile(bob.userId);
    expectEqual(ok(found).displayname, name, "displayname", found);
    if (custom.status === 200) expectEqual(ok(found)["org.example.k"], 1, "org.example.k", found);
    else world.note("the server has no custom profile keys");
    expectMatrixError(await profile(`@${world.name("none")}:${bob.server.serverName}`), [403, 404]);
    const dead = await profile(`@any:${DEAD}`);
    expectThat(dead.status >= 400, "an error", String(dead.status), dead);
    expectMatrixError(dead, dead.status);
    await world.eventually(async () => {
      const member = await alice.state(roomId, "m.room.member", bob.userId);
      expectEqual(member?.displayname, name, "Bob's displayname in the room on hs1");
    });
  },
);

check(
  "CS.fed.receipts-typing",
  "receipts and typing reach the other server, private receipts never",
  {
    mutant: altersAnswer(
      "passes private receipts on",
      { path: "/_matrix/client/v3/sync" },
      { replace: [['"m.read":{', '"m.read.private":{"@bob:hs2":{"ts":1}},"m.read":{']] },
    ),
  },
  async (world) => {
    const [alice, bob, roomId] = await sharedRoom(world);
    const [first, second, third] = [
      await alice.send(roomId, "one"),
      await alice.send(roomId, "two"),
      await alice.send(roomId, "three"),
    ];
    await world.eventually(async () =>
      expectStatus(await bob.get(path`/_matrix/client/v3/rooms/${roomId}/event/${third}`), 200),
    );
    let since = await alice.syncToken();
    const receipts = (body: unknown, type: string) =>
      eventsAt(body, "rooms", "join", roomId, "ephemeral", "events")
        .filter((event) => event.type === "m.receipt")
        .flatMap((event) => Object.entries(event.content))
        .filter(([, kinds]) =>
          Object.keys(at(kinds, type) ?? {}).some((userId) => userId !== alice.userId),
        )
        .map(([eventId]) => eventId);
    const receipt = async (type: string, eventId: string) => {
      ok(await bob.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/${type}/${eventId}`));
    };

    await receipt("m.read.private", first);
    await receipt("m.read", second);
    // The public receipt is sent after the private one: once it is here, the other would have been, too.
    const seen = await alice.syncUntil(since, "Bob's m.read receipt", (body) =>
      receipts(body, "m.read").includes(second) ? true : undefined,
    );
    since = seen.since;
    await receipt("m.read.private", third);
    const typing = (userIds: readonly unknown[]) =>
      alice.syncUntil(since, `m.typing of ${JSON.stringify(userIds)}`, (body) =>
        eventsAt(body, "rooms", "join", roomId, "ephemeral", "events").some(
          ({ type, content }) =>
            type === "m.typing" && JSON.stringify(content.user_ids) === JSON.stringify(userIds),
        )
          ? true
          : undefined,
      );
    const typingPath = path`/_matrix/client/v3/rooms/${roomId}/typing/${bob.userId}`;
    ok(await bob.put(typingPath, { typing: true, timeout: 20_000 }));
    const started = await typing([bob.userId]);
    since = started.since;
    ok(await bob.put(typingPath, { typing: false }));
    const stopped = await typing([]);

    for (const body of [...seen.bodies, ...started.bodies, ...stopped.bodies]) {
      const leaked = receipts(body, "m.read.private");
      expectEqual(leaked, [], "private receipts of Bob that Alice sees");
    }
  },
);

check(
  "CS.fed.backfill",
  "the server pages in history from before the join and from an absence",
  {
    mutant: altersAnswer(
      "backfills nothing",
      { method: "GET", path: "/_matrix/client/v3/rooms/*/messages", status: 200 },
      { remove: ["/chunk/-1", "/end"] },
    ),
    deadlineMs: 90_000,
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const sent: string[] = [];
    for (let count = 0; count < 40; count++)
      sent.push(await alice.send(roomId, `message ${count}`));

    await bob.join(roomId, alice);
    await expectWholeHistory(world, bob, roomId, sent);

    await bob.leave(roomId);
    await world.eventually(async () => {
      const member = await alice.state(roomId, "m.room.member", bob.userId);
      expectEqual(member?.membership, "leave", "Bob's membership on hs1");
    });
    for (let count = 0; count < 5; count++)
      sent.push(await alice.send(roomId, `while away ${count}`));
    await bob.join(roomId, alice);
    await expectWholeHistory(world, bob, roomId, sent);
  },
);

/** Pages backwards to the end, again until nothing is missing: a server may fetch in the background. */
async function expectWholeHistory(
  world: World,
  session: Session,
  roomId: string,
  sent: readonly string[],
): Promise<void> {
  await world.eventually(
    async () => {
      const seen = new Set<string>();
      let hasCreate = false;
      let from: string | undefined;
      for (let page = 0; page < 20; page++) {
        const query = { dir: "b", limit: 30, ...(from === undefined ? {} : { from }) };
        const body = ok(
          await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, query),
        );
        for (const event of eventsAt(body, "chunk")) {
          seen.add(event.event_id);
          hasCreate ||= event.type === "m.room.create";
        }
        if (body.end === undefined) break;
        from = textAt(body, "end");
      }
      const missing = sent.filter((eventId) => !seen.has(eventId));
      expectThat(
        missing.length === 0,
        `all ${sent.length} messages by /messages`,
        `${missing.length} missing`,
      );
      expectThat(hasCreate, "m.room.create at the end of /messages", "no m.room.create");
    },
    { deadlineMs: 30_000 },
  );
}

check(
  "CS.fed.redaction",
  "redactions act on both servers, whoever sent the event",
  {
    mutant: altersAnswer(
      "shows redacted content",
      { method: "GET", path: "/_matrix/client/v3/rooms/*/event/*", status: 200 },
      { set: { "/content": { body: "still here" } } },
    ),
  },
  async (world) => {
    const [alice, bob, roomId] = await sharedRoom(world);
    const redact = (session: Session, eventId: string) =>
      session.put(path`/_matrix/client/v3/rooms/${roomId}/redact/${eventId}/${world.name("txn")}`, {
        reason: "test",
      });
    const contentOn = async (session: Session, eventId: string) => {
      const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/event/${eventId}`);
      return ok(response).content;
    };
    const eventuallyOn = (session: Session, eventId: string, content: unknown) =>
      world.eventually(async () =>
        expectEqual(
          await contentOn(session, eventId),
          content,
          `content of ${eventId} on ${session.server.role}`,
        ),
      );
    const [own, byAdmin, kept] = [
      await bob.send(roomId, "own"),
      await bob.send(roomId, "by the admin"),
      await alice.send(roomId, "kept"),
    ];
    for (const eventId of [own, byAdmin])
      await eventuallyOn(alice, eventId, await contentOn(bob, eventId));
    await eventuallyOn(bob, kept, { msgtype: "m.text", body: "kept" });

    ok(await redact(bob, own));
    ok(await redact(alice, byAdmin));
    await redact(bob, kept);

    for (const eventId of [own, byAdmin]) {
      for (const session of [alice, bob]) await eventuallyOn(session, eventId, {});
    }
    expectEqual(
      await contentOn(alice, kept),
      { msgtype: "m.text", body: "kept" },
      "content without the level to redact",
    );
  },
);

check(
  "CS.fed.todevice",
  "a to-device message to all devices of a remote user reaches each once",
  {
    mutant: altersRequest(
      "delivers to one device only",
      { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**" },
      { replace: [['"*"', '"DEVICE"']] },
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const second = await world.login(bob);
    const [firstSince, secondSince] = await Promise.all([bob.syncToken(), second.syncToken()]);
    const type = "org.example.ping";
    const content = { nonce: world.name("nonce") };
    const target = path`/_matrix/client/v3/sendToDevice/${type}/${world.name("txn")}`;

    ok(await alice.put(target, { messages: { [bob.userId]: { "*": content } } }));

    for (const [device, since] of [
      [bob, firstSince],
      [second, secondSince],
    ] as const) {
      const messages = (body: unknown) =>
        ((at(body, "to_device", "events") ?? []) as { type: string }[]).filter(
          (event) => event.type === type,
        );
      const { found, since: next } = await device.syncUntil(
        since,
        "the to-device message",
        (body) => (messages(body).length > 0 ? messages(body) : undefined),
      );
      expectEqual(
        found,
        [{ type, sender: alice.userId, content }],
        `to-device messages of ${device.deviceId}`,
      );
      const again = await device.sync({ since: next, timeoutMs: 300 });
      expectEqual(messages(again), [], "to-device messages after they were acknowledged");
    }
  },
);

check(
  "CS.fed.restricted-join",
  "members of the allowed room join a remote restricted room, others do not",
  {
    mutant: {
      name: "lets outsiders in",
      rules: [
        {
          match: { method: "POST", path: JOIN, status: 403 },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { room_id: "!claimed" } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob, mallory] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("mallory", "hs2"),
    ]);
    const allowed = await alice.createRoom({ preset: "public_chat" });
    const restricted = await alice.createRoom({
      preset: "public_chat",
      initial_state: [
        {
          type: "m.room.join_rules",
          state_key: "",
          content: {
            join_rule: "restricted",
            allow: [{ type: "m.room_membership", room_id: allowed }],
          },
        },
      ],
    });
    await bob.join(allowed, alice);
    const via = alice.server.serverName;
    const join = (session: Session) =>
      session.post(path`/_matrix/client/v3/join/${restricted}`, {}, { via, server_name: via });

    const outsider = await join(mallory);
    const deadFirst = await bob.post(
      path`/_matrix/client/v3/join/${restricted}`,
      {},
      { via: [DEAD, via], server_name: [DEAD, via] },
    );

    expectMatrixError(outsider, 403, "M_FORBIDDEN");
    expectEqual(ok(deadFirst).room_id, restricted, "room_id", deadFirst);
    const member = await bob.state(restricted, "m.room.member", bob.userId);
    expectEqual(
      member?.join_authorised_via_users_server,
      alice.userId,
      "join_authorised_via_users_server",
    );
  },
);

check(
  "CS.fed.knock",
  "knocking works on a remote room and is refused as locally",
  {
    mutant: {
      name: "lets users knock where the rule forbids it",
      rules: [
        {
          match: { method: "POST", path: "/_matrix/client/v3/knock/*", status: 403 },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { room_id: "!claimed" } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const knockable = (rule: string) =>
      alice.createRoom({
        initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: rule } }],
      });
    const [roomId, closed, banning] = await Promise.all([
      knockable("knock"),
      knockable("invite"),
      knockable("knock"),
    ]);
    await alice.ban(banning, bob);
    const via = alice.server.serverName;
    const knock = (target: string) =>
      bob.post(path`/_matrix/client/v3/knock/${target}`, {}, { via, server_name: via });
    const since = await bob.syncToken();

    expectEqual(ok(await knock(roomId)).room_id, roomId, "room_id of the knock");
    const { found } = await bob.syncUntil(since, `a knock on ${roomId}`, (body) =>
      room(body, "knock", roomId),
    );
    const types = (listAt(found, "knock_state", "events") as { type: string }[]).map(
      ({ type }) => type,
    );
    expectThat(types.includes("m.room.create"), "m.room.create in knock_state", types);
    await world.eventually(async () => {
      const member = await alice.state(roomId, "m.room.member", bob.userId);
      expectEqual(member?.membership, "knock", "Bob's membership on hs1");
    });
    await alice.invite(roomId, bob);
    await bob.syncUntil(since, `an invite to ${roomId}`, (body) => room(body, "invite", roomId));
    ok(await bob.post(path`/_matrix/client/v3/join/${roomId}`));

    for (const target of [closed, banning]) {
      expectMatrixError(await knock(target), 403, ["M_FORBIDDEN", "M_BAD_STATE"]);
    }
  },
);

check(
  "CS.fed.knock",
  "the server answers 404 to a knock on a remote room that does not exist",
  {
    mutant: {
      name: "claims to have knocked",
      rules: [
        {
          match: { method: "POST", path: "/_matrix/client/v3/knock/*" },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { room_id: "!claimed" } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const via = alice.server.serverName;

    const unknown = `!${world.name("none")}:${via}`;
    const response = await bob.post(
      path`/_matrix/client/v3/knock/${unknown}`,
      {},
      { via, server_name: via },
    );

    expectMatrixError(response, 404);
  },
);

check(
  "CS.fed.directory-summary-space",
  "the server fetches directory, summary and hierarchy of remote rooms",
  {
    mutant: altersAnswer(
      "leaves remote children out of the hierarchy",
      { method: "GET", path: "/_matrix/client/v1/rooms/*/hierarchy", status: 200 },
      { remove: ["/rooms/-1"] },
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const name = world.name("listed");
    const listed = await alice.createRoom({ preset: "public_chat", visibility: "public", name });
    const via = alice.server.serverName;
    const space = await bob.createRoom({
      preset: "public_chat",
      creation_content: { type: "m.space" },
    });
    await bob.setState(space, "m.space.child", { via: [via] }, listed);
    const search = (server: string) =>
      bob.post(
        "/_matrix/client/v3/publicRooms",
        { filter: { generic_search_term: name } },
        { server },
      );

    await world.eventually(async () => {
      const response = await search(via);
      const ids = (listAt(ok(response), "chunk") as { room_id: string }[]).map(
        ({ room_id }) => room_id,
      );
      expectEqual(ids, [listed], "rooms of hs1 found from hs2", response);
    });
    const dead = await search(DEAD);
    expectThat(dead.status >= 400, "an error", String(dead.status), dead);
    expectMatrixError(dead, dead.status);
    if (world.has("v1.15")) {
      const summary = await bob.get(path`/_matrix/client/v1/room_summary/${listed}`, { via });
      expectEqual(ok(summary).name, name, "name in the summary", summary);
    }
    const hierarchy = await bob.get(path`/_matrix/client/v1/rooms/${space}/hierarchy`);
    const rooms = (listAt(ok(hierarchy), "rooms") as { room_id: string }[]).map(
      ({ room_id }) => room_id,
    );
    expectEqual(rooms, [space, listed], "rooms of the hierarchy", hierarchy);
  },
);

check(
  "CS.fed.timestamp",
  "the closest event is found when only the other server has it",
  {
    mutant: refuses(
      "knows only its own part of the history",
      { method: "GET", path: "/_matrix/client/v1/rooms/*/timestamp_to_event" },
      404,
      "M_NOT_FOUND",
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const wanted = await alice.send(roomId, "wanted");
    const { origin_server_ts: ts } = await alice.event(roomId, wanted);
    for (let count = 0; count < 5; count++) await alice.send(roomId, `later ${count}`);
    await bob.join(roomId, alice);

    const target = path`/_matrix/client/v1/rooms/${roomId}/timestamp_to_event`;
    await world.eventually(async () => {
      const response = await bob.get(target, { ts, dir: "f" });
      expectEqual(ok(response).event_id, wanted, "event_id", response);
    });
    await world.eventually(async () => {
      const context = ok(await bob.get(path`/_matrix/client/v3/rooms/${roomId}/context/${wanted}`));
      const from = textAt(context, "start");
      expectStatus(
        await bob.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, { dir: "b", from }),
        200,
      );
    });
  },
);

check(
  "CS.fed.presence",
  "presence reaches remote users of shared rooms",
  {
    mutant: altersAnswer(
      "sends no presence",
      { path: "/_matrix/client/v3/sync" },
      { remove: ["/presence"] },
    ),
  },
  async (world) => {
    const [alice, bob] = await sharedRoom(world);
    let since = await alice.syncToken();

    for (const presence of ["unavailable", "online"]) {
      ok(await bob.put(path`/_matrix/client/v3/presence/${bob.userId}/status`, { presence }));
      const seen = await alice.syncUntil(since, `Bob's presence ${presence}`, (body) =>
        (
          (at(body, "presence", "events") ?? []) as {
            sender: string;
            content: { presence: string };
          }[]
        ).find(({ sender, content }) => sender === bob.userId && content.presence === presence),
      );
      since = seen.since;
    }
  },
);

check(
  "CS.fed.media",
  "the server fetches remote media and thumbnails",
  {
    mutant: altersAnswer(
      "changes the bytes of remote media",
      { method: "GET", path: "/_matrix/client/v1/media/download/*/*", status: 200 },
      { replace: [["crucible", "cruxible"]] },
    ),
  },
  async (world) => {
    const [alice, bob] = await pair(world);
    const bytes = `crucible ${world.name("media")}`;
    const upload = async (raw: string | Uint8Array, type: string) => {
      const response = await alice.request("POST", "/_matrix/media/v3/upload?filename=a.txt", {
        raw,
        headers: { "content-type": type },
      });
      return textAt(ok(response), "content_uri").slice("mxc://".length).split("/") as [
        string,
        string,
      ];
    };
    const [server, mediaId] = await upload(bytes, "text/plain");
    const [, imageId] = await upload(PNG, "image/png");
    const download = (from: string, id: string) =>
      bob.get(path`/_matrix/client/v1/media/download/${from}/${id}`);

    const found = await download(server, mediaId);
    const unknown = await download(server, world.name("none"));
    const dead = await download(DEAD, "any");
    const thumbnail = await bob.get(path`/_matrix/client/v1/media/thumbnail/${server}/${imageId}`, {
      width: 32,
      height: 32,
      method: "scale",
    });

    expectStatus(found, 200);
    expectEqual(found.text, bytes, "bytes", found);
    expectThat(
      String(found.headers["content-type"]).startsWith("text/plain"),
      "Content-Type text/plain",
      found.headers["content-type"],
      found,
    );
    expectThat(
      String(found.headers["content-disposition"]).includes("a.txt"),
      "the file name",
      found.headers["content-disposition"],
      found,
    );
    expectMatrixError(unknown, 404);
    if (dead.status < 400 || dead.status === 500)
      fail("4xx, 502 or 504 for a dead server", String(dead.status), dead);
    expectStatus(thumbnail, 200);
  },
);

/** 1 by 1, transparent. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
