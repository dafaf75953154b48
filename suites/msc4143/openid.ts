/** The standalone service that gives tokens for OpenID tokens (lk-jwt-service), by its base URL. */
import type { HttpResponse } from "#harness/http/client";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const SLOT = "m.call#ROOM";

/** An OpenID token of the user's (client-server API §OpenID). */
export async function openidTokenOf(user: Session): Promise<JsonObject> {
  const target = `/_matrix/client/v3/user/${encodeURIComponent(user.userId)}/openid/request_token`;
  return ok(await user.post(target));
}

export interface OpenidScene {
  readonly alice: Session;
  /** Of the homeserver that the service belongs to. */
  readonly serverName: string;
  readonly ask: (path: string, body: unknown) => Promise<HttpResponse>;
  /** A good request of alice's for a token. */
  readonly body: {
    readonly room_id: string;
    readonly slot_id: string;
    readonly openid_token: JsonObject;
    readonly member: {
      readonly id: string;
      readonly claimed_user_id: string;
      readonly claimed_device_id: string;
    };
  };
}

export async function openidScene(world: World): Promise<OpenidScene> {
  const alice = await world.user("alice");
  const service = world.clientOf(world.rtc().base);
  const { serverName } = alice.server;
  return {
    alice,
    serverName,
    ask: (path, body) => service.request("POST", path, { body }),
    body: {
      room_id: `!${world.name("room")}:${serverName}`,
      slot_id: SLOT,
      openid_token: await openidTokenOf(alice),
      member: memberOf(world, alice),
    },
  };
}

export function memberOf(world: World, user: Session) {
  return {
    id: world.name("member"),
    claimed_user_id: user.userId,
    claimed_device_id: user.deviceId,
  };
}

/** A refusal of who asks; the errcode that the service uses is noted when it is another one. */
export function expectRefused(world: World, response: HttpResponse): void {
  const errcode = expectMatrixError(response, [401, 403]);
  if (response.status !== 401 || errcode !== "M_UNAUTHORIZED")
    world.note(`refused with ${response.status} ${errcode}`);
  const hasToken = isObject(response.json) && response.json.jwt !== undefined;
  expectThat(!hasToken, "no token", "a token", response);
}

/** A service that does wrong, by a fault of the embedded one (drivers/rtc-auth/faults.ts). */
export function standaloneThat(name: string, fault: string, path = "/get_token"): Mutant {
  return {
    name,
    rules: [
      {
        match: { to: "rtc1", method: "POST", path },
        phase: "before",
        action: { kind: "rewrite", headers: { "x-crucible-fault": fault } },
      },
    ],
  };
}
