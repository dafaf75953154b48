/** What can be seen of simulated servers when all is quiet: written to the journal for the checkers. */
import type { World } from "./world.ts";

/** @param events ids of events that operations had, by room */
export function observe(
  world: World,
  epoch: number,
  events: ReadonlyMap<string, readonly string[]>,
): void {
  for (const server of world.servers) {
    server.clients.flush();
    for (const replica of server.rooms.values()) {
      const { roomId: room } = replica;
      if (replica.extremities.length > 0) world.journal.state(server.name, replica, "quiescent");
      const members = replica.members();
      const joined = [...members].flatMap(([user, is]) => (is === "join" ? [user] : []));
      const user = joined.find((one) => server.isOwn(one));
      if (user === undefined) continue;
      const asked = { epoch, server: server.name, user, room };
      world.journal.write({ t: "members", ...asked, members: Object.fromEntries(members), joined });
      for (const id of events.get(room) ?? []) {
        const isThere = replica.pdus.has(id) && replica.history.get(id)?.rejection === undefined;
        world.journal.write({ t: "event", ...asked, event_id: id, status: isThere ? 200 : 404 });
      }
      for (const own of joined.filter((one) => server.isOwn(one))) {
        const state = server.clients.view(own, room);
        if (state === undefined) continue;
        world.journal.write({
          t: "view",
          epoch,
          server: server.name,
          user: own,
          room,
          source: "sync",
          state,
        });
      }
    }
  }
}
