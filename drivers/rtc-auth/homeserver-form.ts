/**
 * The newer form: endpoints of the homeserver, which hands what it is asked to the service (MSC4195 §Acquiring LiveKit access
 * tokens; MSC4512). The homeserver has told who asks; everything else is the service's to see to.
 */
import { z } from "zod";
import type { Delegations } from "./delegations.ts";
import type { Departures } from "./departures.ts";
import type { Faults } from "./faults.ts";
import type { Homeservers } from "./homeservers.ts";
import { Refusal } from "./http.ts";
import { type OpenidParts, serverOf } from "./openid-form.ts";
import type { Rates } from "./rates.ts";
import type { ServiceSettings } from "./settings.ts";
import type { Sfu } from "./sfu.ts";
import { hashOf, signToken } from "./tokens.ts";

const text = z.string().min(1);
const asked = { url: text, room_id: text, slot_id: text, member_id: text };

export const clientBody = z.looseObject({ ...asked, server_name: text.optional() });
export const federationBody = z.looseObject({ ...asked, user_id: text });
export const delegateBody = z.looseObject({
  room_id: text,
  slot_id: text,
  member_id: text,
  delay_id: text,
  // Only some revisions have it.
  url: text.optional(),
});

const FEDERATION = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token";
/** What of another server's refusals is passed on, in words of our own. */
const RELAYED = [
  { status: 403, errcode: "M_FORBIDDEN" },
  { status: 400, errcode: "M_INVALID_PARAM" },
] as const;

interface Order {
  readonly userId: string;
  readonly canPublish: boolean;
  readonly room_id: string;
  readonly slot_id: string;
  readonly member_id: string;
  readonly url: string;
}

export class HomeserverForm {
  readonly #settings: ServiceSettings;
  readonly #homeservers: Homeservers;
  readonly #sfu: Sfu;
  readonly #rates: Rates;
  readonly #delegations: Delegations;
  readonly #departures: Departures;

  constructor({ settings, homeservers, sfu, rates, delegations, departures }: OpenidParts) {
    this.#settings = settings;
    this.#homeservers = homeservers;
    this.#sfu = sfu;
    this.#rates = rates;
    this.#delegations = delegations;
    this.#departures = departures;
  }

  async clientToken(userId: string, body: z.infer<typeof clientBody>, faults: Faults) {
    this.#rates.take(userId);
    const { server_name = this.#settings.serverName, ...rest } = body;
    await this.#requireJoined(userId, body.room_id, faults);
    if (server_name === this.#settings.serverName)
      return await this.#token({ ...rest, userId, canPublish: true }, faults);
    return await this.#ofServer(server_name, { ...rest, user_id: userId }, faults);
  }

  async federationToken(origin: string, body: z.infer<typeof federationBody>, faults: Faults) {
    const { user_id: userId, ...rest } = body;
    this.#rates.take(userId);
    if (serverOf(userId) !== origin && !faults.has("skip-origin-check"))
      throw new Refusal(403, "M_FORBIDDEN", "not in the room");
    await this.#requireJoined(userId, body.room_id, faults);
    return await this.#token({ ...rest, userId, canPublish: false }, faults);
  }

  async delegate(userId: string, body: z.infer<typeof delegateBody>, faults: Faults) {
    this.#rates.take(userId);
    const { room_id, slot_id, member_id, delay_id: delayId, url } = body;
    if (url !== undefined) this.#requireOwn(url, faults);
    const event = await this.#homeservers.delayedEvent(userId, delayId);
    const isTheirs = event !== undefined && event.roomId === room_id;
    if (!isTheirs && !faults.has("skip-delay-check"))
      throw new Refusal(400, "M_INVALID_PARAM", "there is no such delayed event");
    this.#delegations.add(
      {
        ...this.#names({ userId, room_id, slot_id, member_id }, faults),
        userId,
        delayId,
        delayMs: event?.delayMs ?? 3_600_000,
      },
      faults,
    );
    return {};
  }

  /** A room that is not known here is one that the user is not in. */
  async #requireJoined(userId: string, roomId: string, faults: Faults): Promise<void> {
    if (faults.has("skip-join-check") || (await this.#homeservers.isJoined(userId, roomId))) return;
    const detail = faults.has("tell-upstream") ? `: ${roomId} at ${this.#settings.homeserver}` : "";
    throw new Refusal(403, "M_FORBIDDEN", `not in the room${detail}`);
  }

  #requireOwn(url: string, faults: Faults): void {
    if (url === this.#settings.sfu.websocketUrl || faults.has("skip-url-check")) return;
    throw new Refusal(400, "M_INVALID_PARAM", "this server has no such SFU");
  }

  async #token(order: Order, faults: Faults): Promise<{ jwt: string }> {
    this.#requireOwn(order.url, faults);
    const { room, identity } = this.#names(order, faults);
    if (!faults.has("no-room")) await this.#sfu.makeRoom(room);
    const { canPublish, userId, room_id: roomId } = order;
    this.#departures.admitted({ room, identity, userId, roomId }, faults);
    return {
      jwt: await signToken(this.#settings.sfu, { identity, room, canPublish, faults }),
    };
  }

  #names(
    { userId, room_id, slot_id, member_id }: Omit<Order, "canPublish" | "url">,
    faults: Faults,
  ): { room: string; identity: string } {
    const room = faults.has("one-room") ? hashOf("one") : hashOf(room_id, slot_id);
    return {
      room: faults.has("plain-room-name") ? `${room_id} ${slot_id}` : room,
      identity: faults.has("wrong-identity")
        ? hashOf(userId, "DEVICE", member_id)
        : hashOf(userId, member_id),
    };
  }

  async #ofServer(serverName: string, body: object, faults: Faults): Promise<{ jwt: string }> {
    const answer = await this.#homeservers
      .askServer(serverName, FEDERATION, body)
      .catch(() => undefined);
    const { jwt, errcode, error } = (answer?.json ?? {}) as Record<string, unknown>;
    if (answer?.status === 200 && typeof jwt === "string") return { jwt };
    const told = faults.has("tell-upstream")
      ? `${serverName}: ${JSON.stringify(error)}`
      : "refused";
    for (const relayed of RELAYED) {
      if (answer?.status === relayed.status && errcode === relayed.errcode)
        throw new Refusal(relayed.status, relayed.errcode, told);
    }
    throw new Refusal(502, "M_UNKNOWN", "the other server gave no token");
  }
}
