/** Steps about users, their devices and their rooms. */
import { z } from "zod";
import type { CryptoClient } from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { isObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { name, names, room, step } from "../step.ts";
import type { Device, Telling } from "../telling.ts";
import { syncOnce } from "./syncing.ts";

const rotation = z.strictObject({
  messages: z.number().int().positive().optional(),
  ms: z.number().int().positive().optional(),
});

export const PEOPLE = {
  /** Further devices of a user have to log in after the first; those of several users come at once. */
  login: step(names, async (telling, who) => {
    const byUser = Map.groupBy(who, (device) => specOf(telling, device).user ?? device);
    await Promise.all(
      [...byUser.values()].map(async (devices) => {
        for (const device of devices) await login(telling, device);
      }),
    );
  }),
  /** The same device, with nothing left of what its client knew. */
  "lose-store": step(name, async (telling, who) => {
    const device = telling.device(who);
    await device.client[Symbol.asyncDispose]();
    device.client = await clientOf(telling, device.session, device);
  }),
  /** Ends the device on its server. */
  logout: step(names, async (telling, who) => {
    for (const each of who) {
      const { client, session } = telling.device(each);
      telling.devices.delete(each);
      ok(await session.post("/_matrix/client/v3/logout"));
      await client[Symbol.asyncDispose]();
    }
  }),
  /** A cross-signing identity of the user, which signs this device. */
  identity: step(names, async (telling, who) => {
    await Promise.all(who.map((each) => telling.device(each).client.bootstrapIdentity()));
  }),
  "reset-identity": step(name, async (telling, who) => {
    await telling.device(who).client.bootstrapIdentity({ reset: true });
  }),
  /** Makes an encrypted room; `with` are invited and join, `invite` are invited only. */
  room: step(
    z.strictObject({
      as: name.default("room"),
      by: name,
      with: names.default([]),
      invite: names.default([]),
      visibility: z.enum(["world_readable", "shared", "invited", "joined"]).optional(),
      preset: z.enum(["private_chat", "public_chat"]).default("private_chat"),
      rotation: rotation.default({}),
      /** Its members sync once they are in; otherwise they know nothing of each other yet. */
      sync: z.boolean().default(true),
    }),
    async (telling, given) => {
      const founder = telling.device(given.by);
      const encryption = {
        algorithm: "m.megolm.v1.aes-sha2",
        ...(given.rotation.messages === undefined
          ? {}
          : { rotation_period_msgs: given.rotation.messages }),
        ...(given.rotation.ms === undefined ? {} : { rotation_period_ms: given.rotation.ms }),
      };
      const state = (type: string, content: object) => ({ type, state_key: "", content });
      const roomId = await founder.session.createRoom({
        preset: given.preset,
        initial_state: [
          state("m.room.encryption", encryption),
          ...(given.visibility === undefined
            ? []
            : [state("m.room.history_visibility", { history_visibility: given.visibility })]),
        ],
      });
      telling.rooms.set(given.as, roomId);
      for (const each of [...given.with, ...given.invite])
        await founder.session.invite(roomId, telling.device(each).session);
      for (const each of given.with)
        await joinRoom(founder.session, telling.device(each).session, roomId);
      if (!given.sync) return;
      await Promise.all([given.by, ...given.with].map((each) => syncOnce(telling, each)));
    },
  ),
  invite: step(z.strictObject({ by: name, who: names, room }), async (telling, given) => {
    for (const each of given.who) {
      const { session } = telling.device(each);
      await telling.device(given.by).session.invite(telling.room(given.room), session);
    }
  }),
  /** `via`: a device whose server knows the room. */
  join: step(z.strictObject({ who: names, via: name.optional(), room }), async (telling, given) => {
    const via = given.via === undefined ? undefined : telling.device(given.via).session;
    for (const each of given.who) {
      const { session } = telling.device(each);
      await joinRoom(via ?? session, session, telling.room(given.room));
    }
  }),
  leave: step(z.strictObject({ who: names, room }), async (telling, given) => {
    for (const each of given.who)
      await telling.device(each).session.leave(telling.room(given.room));
  }),
  kick: step(z.strictObject({ by: name, who: name, room }), async (telling, given) => {
    const { session } = telling.device(given.who);
    await telling.device(given.by).session.kick(telling.room(given.room), session);
  }),
  /** Sets state of a room; members of content that is there and not given stay. */
  state: step(
    z.strictObject({
      by: name,
      type: z.string(),
      content: z.record(z.string(), z.unknown()),
      room,
    }),
    async (telling, { by, type, content, room }) => {
      const { session } = telling.device(by);
      const present = await session.state(telling.room(room), type);
      await session.setState(telling.room(room), type, {
        ...(isObject(present) ? present : {}),
        ...content,
      });
    },
  ),
  "display-name": step(z.strictObject({ of: name, is: z.string() }), async (telling, given) => {
    const { session } = telling.device(given.of);
    const target = path`/_matrix/client/v3/profile/${session.userId}/displayname`;
    ok(await session.put(target, { displayname: given.is }));
  }),
};

function specOf({ story }: Telling, device: string) {
  const spec = story.devices[device];
  if (spec !== undefined) return spec;
  throw new HarnessError("BAD_FILE", {
    what: `the story ${story.id} has no device ${device}`,
    next: `its devices: ${Object.keys(story.devices).join(", ")}`,
  });
}

async function login(telling: Telling, device: string): Promise<void> {
  const { world, story } = telling;
  const spec = specOf(telling, device);
  const user = spec.user ?? device;
  const account = telling.values.get(`account ${user}`) as Session | undefined;
  const session =
    account === undefined ? await world.user(user, spec.on) : await world.login(account);
  telling.values.set(`account ${user}`, account ?? session);
  const policy = {
    share: spec.share ?? story.policy.share,
    read: spec.read ?? story.policy.read,
  };
  const client = await clientOf(telling, session, { name: device, spec, policy });
  const before = telling.devices.get(device);
  if (before !== undefined) await before.client[Symbol.asyncDispose]();
  telling.devices.set(device, {
    name: device,
    spec,
    policy,
    session,
    client,
    undecryptable: 0,
    toDevice: 0,
  });
}

function clientOf(
  { pair, world }: Telling,
  session: Session,
  { name, spec, policy }: Pick<Device, "name" | "spec" | "policy">,
): Promise<CryptoClient> {
  const log = world.clientLog(name);
  return startClient(pair[spec.side ?? "a"], session, {
    policy,
    sync: spec.sync,
    ...(log === undefined ? {} : { log }),
    ...(spec.durable ? { store: "durable", process: "own" } : {}),
  });
}

/** Over federation a join is whole only once the server has the state. */
async function joinRoom(via: Session, session: Session, roomId: string): Promise<void> {
  if (via.server.role === session.server.role) await session.join(roomId);
  else await session.joinWhole(roomId, via);
}
