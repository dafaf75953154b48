import { allRooms, type StateElement } from "#harness/clients/sliding-sync/request";
import { stateKeyOf } from "#harness/clients/sliding-sync/view";
import { createRandom } from "#harness/random";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { stateIdsOf, stateOfRoom } from "./results.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.state.combine-union",
  "the server sends each event that any of two rules would bring",
  { mutant: answers("leaves state out", { remove: ["/rooms/*/required_state/0"] }) },
  async (world) => {
    const random = createRandom(world.name("rules"));
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named", topic: "of something" });
      for (const key of ["", "a", alice.userId]) {
        await alice.setState(roomId, "org.example.crucible", { key }, key);
      }
      const state = await stateOfRoom(alice, roomId);
      const elements: readonly StateElement[] = [
        { type: "m.room.name", stateKey: "" },
        { type: "m.room.topic", stateKey: "" },
        { type: "m.room.member" },
        { type: "org.example.crucible" },
        { type: "org.example.crucible", stateKey: "a" },
        { stateKey: "a" },
        {},
      ];
      const withSurplus: string[] = [];
      for (let pair = 0; pair < 12; pair++) {
        const pick = () =>
          Array.from(
            { length: 1 + random.integer(2) },
            () => elements[random.integer(elements.length)] ?? {},
          );
        const [listed, subscribed] = [pick(), pick()];

        const { rooms } = await sync.connection(alice).initial({
          ...allRooms({ timelineLimit: 1, requiredState: { include: listed } }),
          subscriptions: {
            [roomId]: { timelineLimit: 1, requiredState: { include: subscribed } },
          },
        });

        const wanted = state.filter((event) =>
          [...listed, ...subscribed].some(
            ({ type = event.type, stateKey = event.state_key }) =>
              type === event.type && stateKey === event.state_key,
          ),
        );
        const sent = stateIdsOf(rooms[roomId]);
        const rules = JSON.stringify([listed, subscribed]);
        const missing = wanted.filter(({ event_id }) => !sent.includes(event_id));
        expectEqual(missing.map(stateKeyOf), [], `state that ${rules} lacks`);
        if (sent.length > wanted.length) withSurplus.push(rules);
      }
      const [example] = withSurplus;
      if (example !== undefined) {
        world.note(`${withSurplus.length} pairs bring more than they ask for, as ${example} does`);
      }
    });
  },
);
