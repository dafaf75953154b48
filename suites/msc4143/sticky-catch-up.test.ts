/** What a server that was restarted sends, of what sticks, to one that it could not reach before (MSC4354 §Federation behaviour). */
import { confirm } from "#harness/clients/confirmation";
import { STICKY_DURATION } from "#harness/clients/rtc/names";
import { type Meeting, meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectThat, ok } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { LONG_MS, stick } from "./sticky.ts";
import { chatter, cutOff, FORGETS, receive, received, untilTried } from "./sticky-links.ts";

const DEACTIVATE = "/_matrix/client/v3/account/deactivate";
const CAUGHT_UP_MS = 20_000;
const SHORT_MS = 3_000;
const OWN_SERVERS = { isolated: {}, deadlineMs: 120_000 };

interface Missed {
  /** What sticks, and was sent while the peer could not be reached. */
  readonly lasting: string;
  /** An ordinary event from then. */
  readonly ordinary: string;
}

/**
 * Sends something into a split, in which the server dies and comes back, with more messages after it than a transaction
 * holds. The peer writes after that, and gets what lasts.
 */
async function missAndCatchUp(
  world: World,
  meeting: Meeting,
  first: () => Promise<unknown>,
  then: () => Promise<unknown> = async () => undefined,
): Promise<Missed> {
  const { alice, peer, room, mallory } = meeting;
  const cut = await cutOff(world, meeting);
  await first();
  const ordinary = await alice.send(room.roomId, "ordinary");
  const lasting = await stick(alice, room.roomId);
  await chatter(alice, room.roomId);
  await untilTried(world, cut);
  await then();
  await world.actOnServer("hs1", "kill");
  await cut.end();
  await world.actOnServer("hs1", "restart");

  const content = { msgtype: "m.text", body: "back again" };
  await peer.send(room, { type: "m.room.message", sender: mallory, content });
  await receive(peer, room, lasting, CAUGHT_UP_MS);
  for (const text of ["go on", "go on again"]) {
    const id = await alice.send(room.roomId, text);
    await peer.waitForPdu(room, text, (pdu) => pdu.id === id);
  }
  return { lasting, ordinary };
}

/** A room of which the server has sent the peer something. */
async function meetAndGreet(world: World): Promise<Meeting> {
  const meeting = await meet(world);
  const { alice, peer, room } = meeting;
  const hello = await alice.send(room.roomId, "before the split");
  await peer.waitForPdu(room, "the message before the split", ({ id }) => id === hello);
  return meeting;
}

/** A server that sends all that was missed sends this one as well, like any other event. */
function expectMissing(world: World, { peer }: Meeting, id: string, { ordinary }: Missed): void {
  const sendsAll = received(peer, ordinary);
  if (sendsAll) world.note("all that was missed came, not what sticks alone");
  expectThat(sendsAll || !received(peer, id), "nothing of the event by push", id);
}

check(
  "MSC4354.fed.catch-up",
  "the server that was killed meanwhile still sends what sticks to a server that it could not reach",
  { ...OWN_SERVERS, mutant: FORGETS },
  async (world) => {
    const meeting = await meetAndGreet(world);

    await missAndCatchUp(world, meeting, async () => undefined);
  },
);

check(
  "MSC4354.fed.catch-up",
  "the server that was killed sends what sticks to a server that it had never sent anything",
  { ...OWN_SERVERS, mutant: FORGETS },
  async (world) => {
    const meeting = await meet(world);

    await missAndCatchUp(world, meeting, async () => undefined);
  },
);

check(
  "MSC4354.fed.catch-up-expired",
  "the server does not catch up on what sticks no more",
  {
    ...OWN_SERVERS,
    mutant: altersRequest(
      "lets it stick on",
      { path: "/_matrix/client/v3/rooms/*/send/**", contains: `${STICKY_DURATION}=${SHORT_MS}` },
      { head: [[`${STICKY_DURATION}=${SHORT_MS}`, `${STICKY_DURATION}=${LONG_MS}`]] },
    ),
  },
  async (world) => {
    const meeting = await meetAndGreet(world);
    const { alice, room } = meeting;
    let expiring = "";

    const missed = await missAndCatchUp(
      world,
      meeting,
      async () => {
        expiring = await stick(alice, room.roomId, { durationMs: SHORT_MS });
      },
      () => world.quietPeriod(SHORT_MS),
    );

    expectMissing(world, meeting, expiring, missed);
  },
);

/** Deactivates an account, with all that it said to be forgotten. */
async function erase(session: Session): Promise<void> {
  const begun = await session.post(DEACTIVATE, { erase: true });
  ok(await session.post(DEACTIVATE, { erase: true, auth: await confirm(session, begun) }));
}

check(
  "MSC4354.fed.erased",
  "the server does not catch up on what a user has sent who was erased since",
  {
    ...OWN_SERVERS,
    mutant: altersRequest(
      "erases nobody",
      { path: DEACTIVATE, contains: '"erase":true' },
      { set: { "/erase": false } },
    ),
  },
  async (world) => {
    world.needs("legacy-auth");
    const meeting = await meetAndGreet(world);
    const { room } = meeting;
    const dave = await world.user("dave");
    await dave.join(room.roomId);
    let erased = "";

    const missed = await missAndCatchUp(
      world,
      meeting,
      async () => {
        erased = await stick(dave, room.roomId);
      },
      () => erase(dave),
    );

    expectMissing(world, meeting, erased, missed);
  },
);
