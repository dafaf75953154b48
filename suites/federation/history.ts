/** What a user sees of a room when paginating back. */
import { path } from "#harness/http/client";
import { eventsAt, type MatrixEvent, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

/** The whole timeline of a room, latest first, page by page. */
export async function history(session: Session, roomId: string): Promise<readonly MatrixEvent[]> {
  const events: MatrixEvent[] = [];
  let from: string | undefined;
  do {
    const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const body = ok(await session.get(target, { dir: "b", limit: 10, from }));
    events.push(...eventsAt(body, "chunk"));
    from = body.end === undefined ? undefined : textAt(body, "end");
  } while (from !== undefined);
  return events;
}
