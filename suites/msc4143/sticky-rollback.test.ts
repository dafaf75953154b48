/** A sticky event whose sender was out of the room by a state that did not last (MSC4354 §Proposal, note on soft failure). */
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { converge, promote, share, split } from "#harness/world/sharing";
import { HIDES, stick, untilStuck } from "./sticky.ts";

const MODERATOR = 50;
const SHOWN_MS = 30_000;

check(
  "MSC4354.softfail.reevaluate",
  "the server shows what a user sent who was kicked in a split, once the kick turns out not to count",
  { isolated: {}, deadlineMs: 180_000, mutant: HIDES },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const [charlie, dave] = [await world.user("charlie"), await world.user("dave", "hs2")];
    await promote(shared, MODERATOR);
    await charlie.join(roomId);
    await dave.join(roomId, alice);
    await world.eventually(async () => {
      const member = await dave.state(roomId, "m.room.member", charlie.userId);
      expectEqual(member?.membership, "join", "the membership of charlie on the other server");
    });
    const since = await dave.syncToken();

    // Where bob's kick is known, charlie's event is held back; alice's kick undoes bob's, as hers comes first by power.
    const between = await split(world);
    await bob.kick(roomId, charlie);
    const sent = await stick(charlie, roomId);
    await alice.kick(roomId, bob);
    await between.untilTried();
    await between.heal();
    await converge(world, { alice, bob: dave, roomId });

    const member = await dave.state(roomId, "m.room.member", charlie.userId);
    expectEqual(member?.membership, "join", "the membership of charlie in the end");
    await untilStuck(dave, since, roomId, [sent], { deadlineMs: SHOWN_MS });
  },
);
