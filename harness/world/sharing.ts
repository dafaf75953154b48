/** What checks with two real servers share: a room that both are in, cuts between them, and what both have in the end. */
import { CheckFailure } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { stateShown } from "#harness/peer/room-state";
import { expectEqual, expectStatus, expectThat } from "./expect.ts";
import type { Session } from "./session.ts";
import type { World } from "./world.ts";

/** Body of messages that only tell a server that the other one is there. */
export const NUDGE = "nudge";

export interface Shared {
  readonly alice: Session;
  /** Of another server. */
  readonly bob: Session;
  readonly roomId: string;
}

export async function share(world: World): Promise<Shared> {
  const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
  const roomId = await alice.createRoom({ preset: "public_chat" });
  await bob.joinWhole(roomId, alice);
  return { alice, bob, roomId };
}

/** Makes another user of the first server's room a moderator of the same power as its founder, where versions allow it. */
export async function promote({ alice, bob, roomId }: Shared, level = 100): Promise<void> {
  const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};
  const users = { ...(at(levels, "users") as JsonObject | undefined), [bob.userId]: level };
  const id = await alice.setState(roomId, "m.room.power_levels", { ...levels, users });
  await bob.syncUntilEvent(undefined, roomId, id);
}

export interface Cut {
  /** Waits until a server has tried in vain to send something over it. */
  readonly untilTried: () => Promise<void>;
  readonly heal: () => Promise<void>;
}

/** Resets all that the one server sends the other. */
export async function cut(world: World, from: string, to: string): Promise<Cut> {
  const fault = await world.fault({ from, to }, "before", { kind: "reset" });
  return {
    untilTried: () =>
      world.eventually(async () => {
        const fired = await fault.fired();
        expectThat(fired > 0, `an attempt of ${from} to reach ${to}`, `${fired}`);
      }),
    heal: async () => {
      await fault.end();
    },
  };
}

/** Cuts both directions, and waits for nothing: each server finds out when it sends. */
export async function split(world: World): Promise<Cut> {
  const cuts = await Promise.all([cut(world, "hs1", "hs2"), cut(world, "hs2", "hs1")]);
  return {
    untilTried: async () => {
      for (const one of cuts) await one.untilTried();
    },
    heal: async () => {
      await Promise.all(cuts.map((one) => one.heal()));
    },
  };
}

const NUDGES_AT_MOST = 6;
const NUDGE_AGAIN_MS = 5_000;

/**
 * A message from each side, and then both servers have to come to the same events and the same state.
 *
 * A server that is waiting before it tries again may do so until the next event: there are further messages then, and a
 * note tells how many it took.
 *
 * @param ids events that both must have
 */
export async function converge(
  world: World,
  { alice, bob, roomId }: Shared,
  ids: readonly string[] = [],
): Promise<void> {
  const sides = [alice, bob];
  const wanted = [...ids];
  const probe = async () => {
    for (const session of sides) {
      for (const id of wanted) {
        const target = path`/_matrix/client/v3/rooms/${roomId}/event/${id}`;
        expectStatus(await session.get(target), 200);
      }
    }
    const states = await Promise.all(sides.map((session) => stateShown(session, roomId)));
    expectEqual(states[0], states[1], "the state on both servers");
  };
  for (let nudges = 1; ; nudges++) {
    wanted.push(...(await Promise.all(sides.map((session) => session.send(roomId, NUDGE)))));
    try {
      await world.eventually(probe, { deadlineMs: NUDGE_AGAIN_MS });
      if (nudges > 1) world.note(`the servers took ${nudges} messages from each side to agree`);
      return;
    } catch (error) {
      if (!(error instanceof CheckFailure) || nudges === NUDGES_AT_MOST) throw error;
    }
  }
}
