import { allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { idsIn, LATER, resultOf, STRAY_EVENT, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.timeline.no-room-id",
  "the server puts no event of another room into a room, room_id or not",
  {
    mutant: [
      answers("puts another room id", {
        set: { "/rooms/*/timeline/*/room_id": "!other:example.org" },
      }),
      answers("puts another room id into the state", {
        set: { "/rooms/*/required_state/*/room_id": "!other:example.org" },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      await alice.send(roomId, "hello");
      const request = allRooms({ timelineLimit: 20, requiredState: stateOf("m.room.create") });

      const room = resultOf(await sync.connection(alice).initial(request), roomId);

      const events = [...(room.timeline ?? []), ...(room.required_state ?? [])];
      const named = events.filter((event) => at(event, "room_id") !== undefined);
      expectThat(
        named.every((event) => at(event, "room_id") === roomId),
        `no other room id than ${roomId}`,
        named,
      );
      const types = [...new Set(named.map(({ type }) => type))];
      if (types.length > 0) world.note(`events with a room_id: ${types.join(", ")}`);
    });
  },
);

check(
  "MSC4186.timeline.transaction-id",
  "the server tells the transaction id to the device that sent the event, and to no other",
  {
    mutant: [
      answers("tells nobody", { remove: ["/rooms/*/timeline/*/unsigned/transaction_id"] }),
      answers("tells everybody", {
        set: { "/rooms/*/timeline/-1/unsigned": { transaction_id: "txn" } },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const phone = await world.login(alice);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const devices: readonly Session[] = [alice, phone, bob];
      const connections = devices.map((session) => sync.connection(session));
      const request = allRooms({ timelineLimit: 5 });
      await Promise.all(connections.map((connection) => connection.initial(request)));
      const transaction = "txn";
      const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${transaction}`;
      const content = { msgtype: "m.text", body: "hello" };
      const message = textAt(ok(await alice.put(target, content)), "event_id");

      const ids = connections.map(async (connection) => {
        const { timeline = [] } = await connection.untilEvent(request, roomId, message);
        const event = timeline.find(({ event_id }) => event_id === message);
        return at(event, "unsigned", "transaction_id");
      });

      expectEqual(
        await Promise.all(ids),
        [transaction, undefined, undefined],
        "the transaction ids for the sending device, another one, and another user",
      );
    });
  },
);

check(
  "MSC4186.timeline.bundled",
  "the server bundles edits and threads with the events of a limited timeline",
  {
    mutant: [
      answers("bundles nothing", { remove: ["/rooms/*/timeline/*/unsigned/m.relations"] }),
      answers("bundles no edits", {
        remove: ["/rooms/*/timeline/*/unsigned/m.relations/m.replace"],
      }),
      answers("bundles no threads", {
        remove: ["/rooms/*/timeline/*/unsigned/m.relations/m.thread"],
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const [edited = "", root = ""] = await sendMessages(alice, roomId, 2);
      const relate = (eventId: string, type: string) => ({ rel_type: type, event_id: eventId });
      const edit = await alice.send(roomId, {
        msgtype: "m.text",
        body: "* edited",
        "m.new_content": { msgtype: "m.text", body: "edited" },
        "m.relates_to": relate(edited, "m.replace"),
      });
      const reply = await alice.send(roomId, {
        msgtype: "m.text",
        body: "in the thread",
        "m.relates_to": relate(root, "m.thread"),
      });

      const first = await sync.connection(alice).initial(allRooms({ timelineLimit: 4 }));

      const room = resultOf(first, roomId);
      expectEqual(idsIn(room), [edited, root, edit, reply], "the timeline");
      expectEqual(room.limited, true, "limited");
      const bundled = (index: number) => at(room.timeline, index, "unsigned", "m.relations");
      expectEqual(at(bundled(0), "m.replace", "event_id"), edit, "the edit", first.http);
      const thread = at(bundled(1), "m.thread");
      expectEqual(at(thread, "count"), 1, "the number of replies in the thread", first.http);
      const latest = at(thread, "latest_event", "event_id");
      expectEqual(latest, reply, "the latest reply in the thread", first.http);
    });
  },
);

check(
  "MSC4186.timeline.redaction",
  "the server sends a redaction, and the redacted event without content from then on",
  {
    mutant: [
      answers("keeps the redaction back", { remove: ["/rooms/*/timeline/-1"] }, LATER),
      answers("shows what was redacted", {
        set: { "/rooms/*/timeline/*/content": { body: "regretted" } },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const message = await alice.send(roomId, "regretted");
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 2 });
      await connection.initial(request);
      const redact = path`/_matrix/client/v3/rooms/${roomId}/redact/${message}/${world.name("txn")}`;
      const redaction = textAt(ok(await alice.put(redact)), "event_id");

      const { timeline = [] } = await connection.untilEvent(request, roomId, redaction);
      const again = resultOf(await sync.connection(alice, "again").initial(request), roomId);

      const types = timeline.map(({ type }) => type);
      expectEqual(types, ["m.room.redaction"], "the types in the timeline");
      expectEqual(idsIn(again), [message, redaction], "the timeline on another connection");
      expectEqual(again.timeline?.[0]?.content, {}, "the content of the redacted message");
    });
  },
);

check(
  "MSC4186.timeline.ignored-user",
  "the server sends the state that an ignored user sets, and no messages of theirs",
  {
    mutant: [
      answers("sends all the same", { set: { "/rooms/*/timeline/-": STRAY_EVENT } }),
      answers("ignores the state too", { remove: ["/rooms/*/required_state/-1"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, carol] = await world.users("alice", "carol");
      const roomId = await alice.createRoom({
        preset: "public_chat",
        power_level_content_override: { events: { "m.room.topic": 0 } },
      });
      await carol.join(roomId);
      const ignored = { ignored_users: { [carol.userId]: {} } };
      const list = path`/_matrix/client/v3/user/${alice.userId}/account_data/m.ignored_user_list`;
      ok(await alice.put(list, ignored));
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 10, requiredState: stateOf("m.room.topic") });
      await connection.initial(request);
      await carol.send(roomId, "unwanted");
      const topic = await carol.setState(roomId, "m.room.topic", { topic: "of carol" });
      const last = await alice.send(roomId, "last");
      await settled(alice, roomId, last);

      const later = resultOf(await connection.sync(request), roomId);
      const fresh = resultOf(await sync.connection(alice, "fresh").initial(request), roomId);

      for (const [what, room] of Object.entries({ later, fresh })) {
        const senders = (room.timeline ?? [])
          .filter(({ type }) => type === "m.room.message")
          .map(({ sender }) => sender);
        expectEqual(senders, [alice.userId], `the senders of messages (${what})`);
        const state = (room.required_state ?? []).map((event) => textAt(event, "event_id"));
        expectEqual(state, [topic], `the required state (${what})`);
      }
    });
  },
);
