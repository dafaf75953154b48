import { allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { stateIdsOf, stateKeysOf, timelineOf } from "./results.ts";
import { answers, forgets, inEachDialect, reads } from "./sync.ts";

const NAME_AND_TOPIC = stateOf("m.room.name", "m.room.topic");
const NO_STATE = answers("never sends state", { remove: ["/rooms/*/required_state"] });

check(
  "MSC4186.state.delta-only",
  "the server sends only state that has changed when it knows the room as sent",
  { mutant: [NO_STATE, forgets("sends all state again", "m.room.topic")] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named", topic: "first" });
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 5, requiredState: NAME_AND_TOPIC });
      await connection.initial(request);

      const topic = await alice.setState(roomId, "m.room.topic", { topic: "second" });
      const changed = await connection.untilEvent(request, roomId, topic);
      const message = await alice.send(roomId, "no state");
      const unchanged = await connection.untilEvent(request, roomId, message);

      expectEqual(stateIdsOf(changed), [topic], "the state after a topic change");
      expectEqual(stateKeysOf(unchanged), [], "the state after a message");
    });
  },
);

check(
  "MSC4186.state.delta-not-in-timeline",
  "the server sends changed state whether it is in the timeline or not",
  { mutant: NO_STATE },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ topic: "first" });
      for (const [timelineLimit, isInTimeline] of [
        [3, false],
        [20, true],
      ] as const) {
        const connection = sync.connection(alice, `limit-${timelineLimit}`);
        const request = allRooms({ timelineLimit, requiredState: stateOf("m.room.topic") });
        await connection.initial(request);

        const topic = await alice.setState(roomId, "m.room.topic", { topic: `${timelineLimit}` });
        let last = "";
        for (let index = 0; index < 10; index++) last = await alice.send(roomId, `${index}`);
        const result = await connection.untilEvent(request, roomId, last);

        const what = `with a limit of ${timelineLimit}`;
        expectEqual(stateIdsOf(result), [topic], `the required state ${what}`);
        const isThere = timelineOf(result).includes(topic);
        expectEqual(isThere, isInTimeline, `the topic in the timeline ${what}`);
      }
    });
  },
);

check(
  "MSC4186.state.expand",
  "the server sends state that a request newly asks for",
  {
    mutant: [
      reads("takes no further state", [["m.room.create", "m.room.none"]]),
      forgets("sends the room anew", "m.room.create"),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named" });
      const connection = sync.connection(alice);
      const first = await connection.initial(
        allRooms({ timelineLimit: 5, requiredState: stateOf("m.room.name") }),
      );
      const more = allRooms({
        timelineLimit: 5,
        requiredState: stateOf("m.room.name", "m.room.create"),
      });

      const seen = [(await connection.sync(more)).rooms[roomId]];
      const message = await alice.send(roomId, "brings it at the latest");
      seen.push(await connection.untilEvent(more, roomId, message));

      expectEqual(stateKeysOf(first.rooms[roomId]), ["m.room.name|"], "the state at first");
      const keys = seen.flatMap(stateKeysOf);
      expectThat(keys.includes("m.room.create|"), "the create event, with the message", keys);
      const isAnew = seen.some((result) => result?.initial === true);
      expectThat(!isAnew, "the room as a delta", seen);
      expectEqual(seen.flatMap(timelineOf), [message], "the timelines of both answers");
    });
  },
);

check(
  "MSC4186.state.expand-retract-expand",
  "the server sends the newest state when it is asked for again",
  {
    mutant: [
      NO_STATE,
      answers(
        "takes it as sent",
        { remove: ["/rooms/*/required_state"] },
        { contains: "m.room.topic" },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named", topic: "first" });
      const connection = sync.connection(alice);
      const wide = allRooms({ timelineLimit: 5, requiredState: NAME_AND_TOPIC });
      const narrow = allRooms({ timelineLimit: 5, requiredState: stateOf("m.room.name") });
      await connection.initial(wide);

      await connection.sync(narrow);
      await alice.setState(roomId, "m.room.topic", { topic: "second" });
      const topic = await alice.setState(roomId, "m.room.topic", { topic: "third" });
      const narrowed = await connection.untilEvent(narrow, roomId, topic);
      const again = (await connection.sync(wide)).rooms[roomId];
      const message = await alice.send(roomId, "brings it at the latest");
      const last = await connection.untilEvent(wide, roomId, message);

      expectEqual(stateKeysOf(narrowed), [], "the state when the topic is not asked for");
      const states = [again, last].flatMap(stateIdsOf);
      expectThat(states.includes(topic), "the newest topic event", states);
    });
  },
);

check(
  "MSC4186.state.left-room-state",
  "the server sends no state of after the own leave",
  {
    mutant: answers("goes on telling the topic", {
      set: {
        "/rooms/*/required_state": [
          {
            type: "m.room.topic",
            state_key: "",
            sender: "@bob:example.org",
            content: { topic: "after the leave" },
            event_id: "$after",
            origin_server_ts: 1,
          },
        ],
      },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const phone = await world.login(alice);
      const roomId = await bob.createRoom({ preset: "public_chat", topic: "before the leave" });
      await alice.join(roomId);
      const own = await alice.createRoom();
      const member = { type: "m.room.member", stateKey: alice.userId };
      const requiredState = { include: [{ type: "m.room.topic", stateKey: "" }, member] };
      const request = allRooms({ timelineLimit: 5, requiredState });
      const connection = sync.connection(alice);
      await connection.initial(request);

      await phone.leave(roomId);
      await bob.setState(roomId, "m.room.topic", { topic: "after the leave" });
      const fence = await alice.send(own, "after all that");
      const topics: unknown[] = [];
      let isLeaveTold = false;
      await connection.until(request, `event ${fence}`, ({ rooms }) => {
        const { required_state: state = [], timeline = [] } = rooms[roomId] ?? {};
        isLeaveTold ||= rooms[roomId] !== undefined;
        for (const event of [...state, ...timeline]) {
          if (event.type === "m.room.topic" && "content" in event) topics.push(event.content);
        }
        return timelineOf(rooms[own]).includes(fence) || undefined;
      });

      expectThat(isLeaveTold, "a result of the room that was left", "none");
      expectEqual(topics, [], "topics sent since the leave");
    });
  },
);
