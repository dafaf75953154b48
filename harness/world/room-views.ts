/** What users of each server see of a room at the end of a check, for its replay file. */
import { createClient, path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import type { RoomView, StateIds } from "#harness/replay/record";
import { isObject, type JsonObject } from "#protocol/events/event";
import type { ServerClient } from "./session.ts";

/** Rooms of a check that are kept; those beyond are many of a kind. */
export const MAX_ROOMS = 8;
const CLIENTS_PER_SERVER = 3;
const PAGE = 250;
const MAX_PAGES = 8;
const TIMEOUT_MS = 5_000;
const FILTER = JSON.stringify({ event_format: "federation" });

/** One view a server: of the client that sees most. Servers that do not answer have none. */
export async function viewsOf(
  roomId: string,
  clients: ReadonlySet<ServerClient>,
): Promise<readonly RoomView[]> {
  const byPlace = Map.groupBy(clients, ({ server }) => server.place);
  const views = [...byPlace].map(async ([place, all]) => {
    const seen = await Promise.all(
      all.slice(-CLIENTS_PER_SERVER).map((client) => viewOf(roomId, place, client)),
    );
    const [most] = seen
      .filter((view) => view !== undefined)
      .sort((a, b) => b.pdus.length - a.pdus.length);
    return most;
  });
  return (await Promise.all(views)).filter((view) => view !== undefined);
}

async function viewOf(
  roomId: string,
  place: string,
  { server, accessToken }: ServerClient,
): Promise<RoomView | undefined> {
  // Not the check's own client, whose time may be over.
  const client = createClient({ baseUrl: server.clientUrl, accessToken, timeoutMs: TIMEOUT_MS });
  try {
    const pdus: JsonObject[] = [];
    let from: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { dir: "b", limit: PAGE, filter: FILTER, from };
      const messages = path`/_matrix/client/v3/rooms/${roomId}/messages`;
      const { status, json } = await client.request("GET", messages, { query });
      if (status !== 200) return undefined;
      const chunk = listAt(json, "chunk").filter(isObject);
      pdus.push(...chunk);
      const end = at(json, "end");
      if (chunk.length === 0 || typeof end !== "string") break;
      from = end;
    }
    const state = await client.request("GET", path`/_matrix/client/v3/rooms/${roomId}/state`);
    return { place, pdus: pdus.reverse(), state: stateIds(state.json) };
  } catch {
    // A replay is an extra; the verdict has been given.
    return undefined;
  }
}

function stateIds(events: unknown): StateIds {
  if (!Array.isArray(events)) return {};
  return Object.fromEntries(
    events
      .filter(isObject)
      .map((event) => [`${event.type}|${event.state_key}`, String(event.event_id)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
