/** Makes the rooms of a plan as they are when the story begins. */
import { setTimeout as sleep } from "node:timers/promises";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, isObject, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Actor, Cast } from "./cast.ts";
import { joinRules } from "./requests.ts";

const READY_MS = 20_000;
const POLL_MS = 50;

const ENCRYPTION = {
  type: "m.room.encryption",
  state_key: "",
  content: { algorithm: "m.megolm.v1.aes-sha2" },
};

/** @param version of rooms that name none; undefined: the servers' default */
export async function makeRooms(cast: Cast, version: string | undefined): Promise<void> {
  const waiting = Object.entries(cast.plan.rooms).filter(([, { isLater }]) => isLater !== true);
  // A restricted room names another, which has to be there first.
  while (waiting.length > 0) {
    const next = waiting.findIndex(([, { allow }]) => allow === undefined || cast.rooms.has(allow));
    const [found] = waiting.splice(Math.max(next, 0), 1);
    if (found !== undefined) await makeRoom(cast, found[0], version);
  }
}

async function makeRoom(cast: Cast, name: string, version: string | undefined): Promise<void> {
  const plan = cast.plan.rooms[name];
  if (plan === undefined) return;
  const { rule = "public", allow, members = [], levels = {}, settings = {} } = plan;
  const creator = cast.actor(plan.creator);
  const roomVersion = plan.version ?? version ?? (await defaultVersion(creator));
  const from = allow === undefined ? undefined : cast.rooms.get(allow)?.id;
  // From version 12 on creators have no level in the list, and stand above it.
  const isCreatorListed = Number(roomVersion) < 12;
  const others = Object.entries(levels).filter(([user]) => user !== plan.creator);
  const users = Object.fromEntries([
    ...(isCreatorListed ? [[creator.userId, levels[plan.creator] ?? 100] as const] : []),
    ...others.map(([user, level]) => [cast.actor(user).userId, level] as const),
  ]);
  const hasLevels = others.length > 0 || Object.keys(settings).length > 0;
  const answer = await creator.session.post("/_matrix/client/v3/createRoom", {
    preset: rule === "public" ? "public_chat" : "private_chat",
    room_version: roomVersion,
    ...(hasLevels ? { power_level_content_override: { ...settings, users } } : {}),
    initial_state: [
      { type: "m.room.join_rules", state_key: "", content: joinRules(rule, from) },
      ...(plan.encrypted === true ? [ENCRYPTION] : []),
    ],
  });
  if (answer.status !== 200) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${creator.role} does not make the room ${name}: ${answer.status}`,
      facts: [answer.text.slice(0, 200)],
      next: "choose another --room-version, or see the server's log",
    });
  }
  const id = textAt(ok(answer), "room_id");
  cast.rooms.set(name, { id, version: roomVersion });
  for (const member of members.filter((user) => user !== plan.creator)) {
    const actor = cast.actor(member);
    if (rule !== "public") await creator.session.invite(id, actor.session);
    await joinPatiently(cast, name, id, member);
  }
  await everybodyIsThere(cast, name, id, [plan.creator, ...members]);
}

async function defaultVersion({ session }: Actor): Promise<string> {
  const { json } = await session.get("/_matrix/client/v3/capabilities");
  return textAt(json, "capabilities", "m.room_versions", "default");
}

/** An invitation takes its time, and so may the room's server. */
async function joinPatiently(cast: Cast, name: string, id: string, member: string): Promise<void> {
  const { session } = cast.actor(member);
  const via = cast.via(name);
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const query = { via, server_name: via };
    const answer = await session.post(path`/_matrix/client/v3/join/${id}`, {}, query);
    if (answer.status === 200) return;
    if (Date.now() > deadline) throw notReady(name, `${member} can not join: ${answer.text}`);
    await sleep(POLL_MS);
  }
}

/** Every server that is in the room knows of all members. */
async function everybodyIsThere(
  cast: Cast,
  name: string,
  id: string,
  members: readonly string[],
): Promise<void> {
  const all = members.map((member) => cast.actor(member));
  const deadline = Date.now() + READY_MS;
  await Promise.all(
    all.map(async ({ session, role }) => {
      for (;;) {
        const { json } = await session.get(path`/_matrix/client/v3/rooms/${id}/joined_members`);
        const joined = at(json, "joined");
        const missing = all.filter(
          ({ userId }) => !isObject(joined) || !Object.hasOwn(joined, userId),
        );
        if (missing.length === 0) return;
        const who = missing.map(({ name: user }) => user).join(", ");
        if (Date.now() > deadline) throw notReady(name, `${role} does not know of ${who}`);
        await sleep(POLL_MS);
      }
    }),
  );
}

function notReady(name: string, fact: string): HarnessError {
  return new HarnessError("DEADLINE", {
    what: `the room ${name} was not ready within ${READY_MS / 1000} s, before anything was broken`,
    facts: [fact.slice(0, 300)],
    next: "see the servers' logs",
  });
}
