/** Random splits, and what sticks after them. That its judgement can fail is proven by the mutants of `netsplit.test.ts`. */
import { awakeMs } from "#harness/awake";
import { check } from "#harness/world/check";
import type { Session } from "#harness/world/session";
import { converge, cut, share, split } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { expectTold, observe, type Sent, writeValue } from "./observers.ts";
import { chatter } from "./sticky-links.ts";

const STEPS = 10;
/** One in so many splits outlasts the life of a server, is of one direction only, or has much said in it. */
const RARE = 4;

function isRare(world: World): boolean {
  return world.integer(RARE) === 0;
}

/** A room of its own, a split, and what both servers tell of it in the end. */
async function story(world: World): Promise<void> {
  const shared = await share(world);
  const { alice, bob, roomId } = shared;
  const observers = await observe(shared);
  const sent: Sent[] = [];
  const write = async (session: Session) => {
    sent.push(await writeValue(world, session, roomId));
  };
  for (const session of [alice, bob]) await write(session);

  const between = isRare(world) ? await cut(world, "hs1", "hs2") : await split(world);
  for (let step = 0; step < STEPS; step++) {
    const session = world.integer(2) === 0 ? alice : bob;
    if (isRare(world)) await session.send(roomId, "a message");
    else await write(session);
    if (isRare(world)) for (const observer of observers) await observer.sync();
  }
  if (isRare(world)) await chatter(alice, roomId);
  await Promise.all([write(alice), write(bob)]);
  await between.untilTried();
  if (isRare(world)) await world.killAndRestart(world.integer(2) === 0 ? "hs1" : "hs2");
  await between.heal();
  await converge(world, shared);

  await expectTold(world, observers, sent);
}

check(
  "MSC4354.fed.converge",
  "the servers tell their users the same of what sticks after any split",
  { kind: "search", isolated: {}, deadlineMs: 180_000 },
  async (world) => {
    const end = awakeMs() + world.propertySeconds * 1_000;
    let stories = 0;
    for (; stories === 0 || awakeMs() < end; stories++) await story(world);
    world.note(`${stories} splits`);
  },
);
