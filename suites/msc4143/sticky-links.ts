/** What checks share about what a server sends a peer of what sticks: receipt, and a link that is cut for a while. */
import { type Meeting, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import type { Mutant } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { RuleHandle, World } from "#harness/world/world";
import { TYPE } from "./sticky.ts";

/** More than a transaction holds, in rounds of so many at a time. */
const ROUNDS = 6;
const AT_A_TIME = 10;

/** A server that tells a peer nothing of what sticks. */
export const FORGETS: Mutant = {
  name: "sends nothing that sticks",
  rules: [
    {
      match: { from: "hs1", to: "peer-*", path: SEND, contains: TYPE },
      phase: "before",
      action: { kind: "answer", status: 200, body: { pdus: {} } },
    },
  ],
};

/** Waits for a sticky event; returns the PDU. */
export async function receive(peer: Peer, room: PeerRoom, id: string, deadlineMs = 10_000) {
  const what = `the sticky event ${id}`;
  const { pdu } = await peer.waitForPdu(room, what, (each) => each.id === id, { deadlineMs });
  return pdu;
}

export function received(peer: Peer, id: string): boolean {
  return peer.pdus.items.some(({ pdu }) => pdu.id === id);
}

/** Cuts what the server sends the peer. */
export async function cutOff(world: World, { peer }: Meeting): Promise<RuleHandle> {
  const to = peer.serverName.replace(/:\d+$/, "");
  return await world.fault({ from: "hs1", to }, "before", { kind: "reset" });
}

export async function untilTried(world: World, cut: RuleHandle): Promise<void> {
  await world.eventually(async () => {
    const fired = await cut.fired();
    expectThat(fired > 0, "an attempt to reach the other server", `${fired}`);
  });
}

/** Sends more messages than a transaction holds. */
export async function chatter(session: Session, roomId: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(
      Array.from({ length: AT_A_TIME }, () => session.send(roomId, `round ${round}`)),
    );
  }
}
