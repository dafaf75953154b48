/** For a spec: faults of bundles of old keys (MSC4268), which step 1 tells of. */
import type { CryptoClient } from "#harness/clients/crypto/crypto-client";
import { C, HELLO, PUT, type Scene, type Seeded, SYNC } from "./scene.ts";

const MEDIA = { method: "GET", path: "/_matrix/client/v1/media/download/**" };
const GONE = { errcode: "M_NOT_FOUND", error: "gone" };

interface Pair {
  readonly alice: CryptoClient;
  readonly bob: CryptoClient;
  readonly room: string;
  readonly event: string;
}

/** A message of Alice in a room into which she invites Bob later. @param areStrangers they share no room before */
async function before(
  scene: Scene,
  { isUnsigned = false, areStrangers = false } = {},
): Promise<Pair> {
  const alice = await scene.client(await scene.world.user("alice"));
  const bob = await scene.client(await scene.world.user("bob"), { isUnsigned });
  if (!areStrangers) {
    await scene.room(alice, bob);
    await bob.syncOnce();
  }
  const room = await scene.room(alice);
  const { eventId: event } = await alice.send(room, HELLO);
  return { alice, bob, room, event };
}

/** He joins, and hears of what came for him. */
async function invited(scene: Scene, { alice, bob, room, event }: Pair) {
  await scene.session(alice).invite(room, scene.session(bob));
  await scene.session(bob).join(room);
  await bob.syncOnce();
  return { event, reader: bob };
}

function fault(
  root: Seeded["root"],
  act: (scene: Scene) => Promise<{ readonly event: string; readonly reader: CryptoClient }>,
): Seeded {
  return { root, step: 1, act };
}

export const OF_HISTORY: Readonly<Record<string, Seeded>> = {
  "a bundle without the key, which newcomers may not have": fault("history.flag", async (scene) => {
    const pair = await before(scene);
    const { alice, bob, room } = pair;
    const { eventId: event } = await hidden(scene, pair);
    await alice.history.share(room, bob.userId);
    const { reader } = await invited(scene, pair);
    await bob.history.accept(room, alice.userId);
    return { event, reader };
  }),
  "no bundle for an unsigned device": fault("history.withheld", async (scene) => {
    const pair = await before(scene, { isUnsigned: true });
    await pair.alice.history.share(pair.room, pair.bob.userId);
    return invited(scene, pair);
  }),
  "what tells of a bundle was swallowed on its way up": fault("history.not-sent", async (scene) => {
    const pair = await before(scene);
    await scene.rule(PUT, "before", { kind: "answer", status: 200, body: {} }, 1);
    await pair.alice.history.share(pair.room, pair.bob.userId);
    return invited(scene, pair);
  }),
  "what tells of a bundle was taken out of a sync": fault("history.bundle-lost", async (scene) => {
    const pair = await before(scene);
    await pair.alice.history.share(pair.room, pair.bob.userId);
    await scene.answer(SYNC, ({ to_device: _gone, ...rest }) => rest);
    return invited(scene, pair);
  }),
  "the media of a bundle are gone": fault("history.bundle-lost", async (scene) => {
    const pair = await before(scene);
    const { alice, bob, room } = pair;
    await alice.history.share(room, bob.userId);
    const told = await invited(scene, pair);
    await scene.rule(MEDIA, "before", { kind: "answer", status: 404, body: GONE });
    await bob.history.accept(room, alice.userId).catch(() => false);
    return told;
  }),
  "a bundle of an inviter who was not known when it came": fault(
    "history.refused",
    async (scene) => {
      const pair = await before(scene, { areStrangers: true });
      const { alice, bob, room } = pair;
      await alice.history.share(room, bob.userId);
      const told = await invited(scene, pair);
      await bob.history.accept(room, alice.userId).catch(() => false);
      return told;
    },
  ),
  "a bundle that nobody has taken in": fault("history.not-accepted", async (scene) => {
    const pair = await before(scene);
    await pair.alice.history.share(pair.room, pair.bob.userId);
    return invited(scene, pair);
  }),
};

/** A message that who comes later may see, though its sender took the room for one where they may not. */
async function hidden(scene: Scene, { alice, room }: Pair): Promise<{ readonly eventId: string }> {
  const visibility = { method: "GET", path: `${C}/rooms/*/state/m.room.history_visibility/**` };
  const wrong = await scene.answer(visibility, () => ({ history_visibility: "joined" }));
  await alice.rotate(room);
  const sent = await alice.send(room, HELLO);
  await wrong.end();
  return sent;
}
