/** The older form: a service of its own, asked with an OpenID token (lk-jwt-service, README). */
import { z } from "zod";
import type { Delegations } from "./delegations.ts";
import type { Departures } from "./departures.ts";
import type { Faults } from "./faults.ts";
import type { Homeservers } from "./homeservers.ts";
import { Refusal } from "./http.ts";
import type { Rates } from "./rates.ts";
import type { ServiceSettings } from "./settings.ts";
import type { Sfu } from "./sfu.ts";
import { hashOf, signToken } from "./tokens.ts";

const text = z.string().min(1);
const openidToken = z.looseObject({ access_token: text, matrix_server_name: text });
const member = z.looseObject({ id: text, claimed_user_id: text, claimed_device_id: text });

export const getTokenBody = z.looseObject({
  room_id: text,
  slot_id: text,
  openid_token: openidToken,
  member,
});

export const sfuGetBody = z.looseObject({
  room: text,
  openid_token: openidToken,
  device_id: text,
});

export const delegateBody = z.looseObject({
  ...getTokenBody.shape,
  delay_id: text,
  delay_timeout: z.number().int().positive(),
});

/** The slot that a request without one is for. */
const LEGACY_SLOT = "m.call#ROOM";

export interface OpenidParts {
  readonly settings: ServiceSettings;
  readonly homeservers: Homeservers;
  readonly sfu: Sfu;
  readonly rates: Rates;
  readonly delegations: Delegations;
  readonly departures: Departures;
}

export class OpenidForm {
  readonly #parts: OpenidParts;

  constructor(parts: OpenidParts) {
    this.#parts = parts;
  }

  async getToken(body: z.infer<typeof getTokenBody>, faults: Faults) {
    const userId = await this.#authenticated(body.openid_token, faults);
    const claimed = this.#claimed(userId, body.member, faults);
    const { claimed_device_id, id } = body.member;
    return await this.#token(
      userId,
      hashOf(claimed, claimed_device_id, id),
      hashOf(body.room_id, body.slot_id),
      faults,
    );
  }

  async sfuGet(body: z.infer<typeof sfuGetBody>, faults: Faults) {
    const userId = await this.#authenticated(body.openid_token, faults);
    const room = hashOf(body.room, LEGACY_SLOT);
    return await this.#token(userId, `${userId}:${body.device_id}`, room, faults);
  }

  async delegate(body: z.infer<typeof delegateBody>, faults: Faults) {
    const userId = await this.#authenticated(body.openid_token, faults);
    const claimed = this.#claimed(userId, body.member, faults);
    if (!this.#isFull(userId) && !faults.has("let-restricted-delegate"))
      throw new Refusal(403, "M_FORBIDDEN", "users of this server can not delegate here");
    const { claimed_device_id, id } = body.member;
    const room = hashOf(body.room_id, body.slot_id);
    // Whichever endpoint the member's token came from, it is found.
    const identities = [hashOf(claimed, claimed_device_id, id), `${userId}:${claimed_device_id}`];
    for (const identity of faults.has("wrong-identity") ? identities.slice(0, 1) : identities) {
      const { delay_id: delayId, delay_timeout: delayMs } = body;
      this.#parts.delegations.add({ room, identity, userId, delayId, delayMs }, faults);
    }
    return {};
  }

  async #authenticated(
    { access_token, matrix_server_name }: z.infer<typeof openidToken>,
    faults: Faults,
  ): Promise<string> {
    const { homeservers, rates } = this.#parts;
    const subject = await homeservers.subjectOf(access_token, matrix_server_name).catch((error) => {
      if (!faults.has("skip-token-check")) throw error;
      return `@somebody:${matrix_server_name}`;
    });
    if (serverOf(subject) !== matrix_server_name && !faults.has("skip-server-check"))
      throw new Refusal(401, "M_UNAUTHORIZED", "the OpenID token is not good");
    rates.take(subject);
    return subject;
  }

  #claimed(userId: string, { claimed_user_id }: z.infer<typeof member>, faults: Faults): string {
    if (claimed_user_id === userId || faults.has("skip-subject-check")) return claimed_user_id;
    throw new Refusal(401, "M_UNAUTHORIZED", "the OpenID token is another user's");
  }

  /** Whether the user belongs to the service's own homeserver: others only listen, in rooms that are there. */
  #isFull(userId: string): boolean {
    return serverOf(userId) === this.#parts.settings.serverName;
  }

  async #token(userId: string, identity: string, room: string, faults: Faults) {
    const { settings, sfu } = this.#parts;
    const isFull = this.#isFull(userId);
    if ((isFull && !faults.has("no-room")) || faults.has("always-room")) await sfu.makeRoom(room);
    const jwt = await signToken(settings.sfu, {
      identity: faults.has("wrong-identity") ? `${identity}x` : identity,
      room,
      canPublish: isFull,
      faults,
    });
    return { url: settings.sfu.websocketUrl, jwt };
  }
}

/** Of `@user:server`; empty when it is no user id. */
export function serverOf(userId: string): string {
  return /^@[^:]*:(.+)$/s.exec(userId)?.[1] ?? "";
}
