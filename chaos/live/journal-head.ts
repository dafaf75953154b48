/** What a journal of real servers begins with. */
import type { JournalWriter } from "#chaos/journal/write";
import type { Cast } from "./cast.ts";
import type { Telling } from "./telling.ts";

export function writeHead({ journal, plan, run, tool, deployment }: Telling, cast: Cast): void {
  const rooms = [...cast.rooms.values()];
  const [first] = rooms;
  const isOfOne = rooms.every(({ version }) => version === first?.version);
  journal.write({
    t: "meta",
    format: "mx-replay",
    version: 1,
    rooms: rooms.map(({ id }) => id),
    // Of rooms of several versions, the cast tells which has which.
    ...(isOfOne && first !== undefined ? { room_version: first.version } : {}),
    run,
    test: plan.title,
    seed: plan.seed ?? 0,
    tool,
  });
  journal.write({ t: "plan", plan });
  writeCast(journal, cast);
  for (const { role, implementation, version } of deployment.facts.servers)
    journal.write({ t: "server", name: cast.serverName(role), implementation, version });
}

/** Again when a room is added. */
export function writeCast(journal: JournalWriter, { rooms, actors, servers }: Cast): void {
  journal.write({
    t: "cast",
    servers,
    users: Object.fromEntries([...actors].map(([name, { userId }]) => [name, userId])),
    rooms: Object.fromEntries([...rooms].map(([name, { id }]) => [name, id])),
    versions: Object.fromEntries([...rooms.values()].map(({ id, version }) => [id, version])),
  });
}
