/** Ways for a server to be wrong, as mutants of checks. */
import { EVENT } from "#harness/peer/meeting";
import type { Mutant } from "#harness/world/check";
import { altersAnswer, refuses } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";

/** A server that shows an event which it has refused. */
export function shows(name: string, content: JsonObject = {}): Mutant {
  const match = { method: "GET", path: EVENT, status: 404 };
  return altersAnswer(name, match, { status: 200, body: { content } });
}

/** A server that takes requests of a client which it refuses. */
export function allows(name: string, path: string): Mutant {
  const match = { method: "PUT", path, status: [400, 403] };
  return altersAnswer(name, match, { status: 200, body: { event_id: "$taken" } });
}

/** A server that drops events which it has to take. */
export function hides(name: string): Mutant {
  return refuses(name, { path: EVENT }, 404, "M_NOT_FOUND");
}
