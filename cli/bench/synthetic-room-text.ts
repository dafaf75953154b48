/** A synthetic room as NDJSON, as a server would have it: sizes are those of real events, hashes and signatures are not real. */
import { createHash } from "node:crypto";
import type { SyntheticRoom } from "#tardis/layout/synthetic-room";

const USERS = 500;
const START_MS = 1_750_000_000_000;

/** With ids that are not those of the events: those are not looked at when a file is read. */
export function roomText({ edges: { offsets, targets }, servers }: SyntheticRoom): string {
  const ids = Array.from(servers, (_, row) => `$${digest(`event ${row}`)}`);
  const create = ids[0] ?? "";
  const lines = Array.from(servers, (server, row) => {
    const name = `server${server}.test`;
    const sender = `@user${row % USERS}:${name}`;
    const previous = Array.from(targets.subarray(offsets[row], offsets[row + 1]), (at) => ids[at]);
    return JSON.stringify({
      event_id: ids[row],
      ...(row === 0
        ? { type: "m.room.create", state_key: "", content: { room_version: "11" } }
        : {
            type: "m.room.message",
            content: { msgtype: "m.text", body: `message ${row} of this room` },
          }),
      sender,
      room_id: "!synthetic:server0.test",
      prev_events: previous,
      auth_events: row === 0 ? [] : [create, ids[Math.min(row - 1, 1)], ids[Math.min(row - 1, 2)]],
      depth: row + 1,
      origin_server_ts: START_MS + 1_000 * row,
      hashes: { sha256: digest(`content ${row}`) },
      signatures: { [name]: { "ed25519:1": digest(`one ${row}`) + digest(`two ${row}`) } },
    });
  });
  return `${lines.join("\n")}\n`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
