/** What checks of POST /createRoom share. */
import type { RuleMatch } from "#harness/gateway/rule";
import type { HttpResponse } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

export const CREATE = "/_matrix/client/v3/createRoom";
const JOINED_ROOMS = "/_matrix/client/v3/joined_rooms";

/** POST /createRoom with any answer. */
export function tryCreate(creator: Session, options: JsonObject): Promise<HttpResponse> {
  return creator.post(CREATE, options);
}

/** Proves that a refusal left no room behind; the users are in none otherwise. */
export async function expectNoRooms(...users: readonly Session[]): Promise<void> {
  for (const user of users) {
    const response = await user.get(JOINED_ROOMS);
    expectEqual(ok(response).joined_rooms, [], "joined_rooms after the refusal", response);
  }
}

/** A server that refuses as it should, and makes a room of the request without what is wrong with it. */
export function halfMade(
  name: string,
  match: Omit<RuleMatch, "path">,
  wrong: readonly string[],
  errcode: string,
): Mutant {
  const path = CREATE;
  return {
    name,
    rules: [
      {
        match: { ...match, path },
        phase: "before",
        action: { kind: "rewrite", remove: wrong },
      },
      {
        match: { ...match, path },
        phase: "processed",
        action: { kind: "rewrite", status: 400, body: { errcode, error: "no" } },
      },
    ],
  };
}
