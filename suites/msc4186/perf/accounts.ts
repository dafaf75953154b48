/** Accounts with many rooms, each made once for all measurements of a run. */
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export interface BigAccount {
  readonly reader: Session;
  /** Joined rooms, the oldest first. */
  readonly roomIds: readonly string[];
}

type Made = Pick<Session, "userId" | "localpart" | "password" | "accessToken" | "deviceId"> & {
  readonly roomIds: readonly string[];
};

/** Requests at a time: more than a server of one process can use. */
const PARALLEL = 4;

const accounts = new Map<string, Promise<Made>>();

/** The account with so many rooms, whose only member it is, a message in each. */
export async function accountOf(world: World, rooms: number): Promise<BigAccount> {
  const key = `${world.deployment.id}/${rooms}`;
  let making = accounts.get(key);
  if (making === undefined) {
    making = make(world, rooms);
    accounts.set(key, making);
    // The next check tries anew.
    making.catch(() => accounts.delete(key));
  }
  const { roomIds, accessToken, deviceId, ...account } = await making;
  return { reader: world.session("hs1", account, { accessToken, deviceId }), roomIds };
}

async function make(world: World, rooms: number): Promise<Made> {
  const reader = await world.user("reader");
  const roomIds: string[] = [];
  const names = Array.from({ length: rooms }, (_, at) => `room ${at + 1}`);
  const since = performance.now();
  await inParallel(names, async (name) => {
    const roomId = await reader.createRoom({ name });
    await reader.send(roomId, "first");
    roomIds.push(roomId);
  });
  const seconds = (performance.now() - since) / 1000;
  world.note(`the account of ${rooms} rooms was made in ${seconds.toFixed(1)} s`);
  const { userId, localpart, password, accessToken, deviceId } = reader;
  return { userId, localpart, password, accessToken, deviceId, roomIds };
}

/** Does something to each item, a few at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  body: (item: Item) => Promise<unknown>,
): Promise<void> {
  const rest = items.values();
  const work = async () => {
    for (const item of rest) await body(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
