/** What checks of the handshakes share: rooms with conditions, events that do not fit, and mutants of what is answered. */
import type { JsonValue } from "#harness/gateway/rule";
import type { HttpResponse } from "#harness/http/client";
import { objectAt, textAt } from "#harness/match/json";
import type { FederationClient } from "#harness/peer/client";
import type { Signer } from "#harness/peer/keys";
import type { Peer } from "#harness/peer/peer";
import type { Mutant } from "#harness/world/check";
import { expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";

import type { RuleHandle, World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { redact } from "#protocol/events/redact";
import { verifyJson } from "#protocol/events/signatures";
import type { RoomVersion } from "#protocol/rooms/room-version";

export const MAKE_JOIN = "/_matrix/federation/v1/make_join/**";
export const SEND_JOIN = "/_matrix/federation/v2/send_join/**";

/** A server that refuses a peer nothing: it answers 200 instead. */
export function refusesNothing(name: string, path: string, body: JsonValue = {}): Mutant {
  return altersAnswer(
    name,
    { from: "peer-*", path, status: [400, 403, 404] },
    { status: 200, body },
  );
}

/** A server that refuses with another status and code than it should. */
export function refusesAs(
  name: string,
  path: string,
  from: number,
  status: number,
  errcode: string,
): Mutant {
  return altersAnswer(
    name,
    { from: "peer-*", path, status: from },
    { status, body: { errcode, error: "" } },
  );
}

/** Any refusal will do: the text has a code for it as a SHOULD only. */
export function expectRefused(response: HttpResponse, what: string): void {
  const isRefusal = response.status >= 400 && response.status < 500;
  expectThat(isRefusal, `a refusal of ${what}`, `status ${response.status}`, response);
}

/** Who signs with the id of the peer's key and another secret. */
export function impostor({ serverName, keys }: Peer): Signer {
  return { serverName, key: { id: keys.key.id, secret: keys.another().secret } };
}

/** A peer's server name without the port. */
export function hostOf({ serverName }: Peer): string {
  return serverName.replace(/:\d+$/, "");
}

/** From now on nothing reaches the peer: connections are reset, or nobody answers. */
export function cutOff(
  world: World,
  peer: Peer,
  kind: "reset" | "gate" = "reset",
): Promise<RuleHandle> {
  return world.fault({ to: hostOf(peer) }, "before", { kind });
}

/** That a server has signed an event with a key that it publishes. */
export async function expectSignedBy(
  client: FederationClient,
  event: JsonObject,
  version: RoomVersion,
): Promise<void> {
  const { serverName } = client;
  const published = objectAt(ok(await client.keys()), "verify_keys");
  const signatures = Object.keys(objectAt(event, "signatures", serverName));
  expectThat(signatures.length > 0, `a signature of ${serverName}`, event.signatures);
  for (const keyId of signatures) {
    const isRight = verifyJson(
      redact(event, version),
      serverName,
      keyId,
      textAt(published, keyId, "key"),
    );
    expectThat(isRight, `a valid signature by ${keyId}`, event);
  }
}
