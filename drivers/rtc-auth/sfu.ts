/** The SFU as the service uses it: rooms that it makes, and who is in them. */
import { RoomServiceClient, TwirpError } from "livekit-server-sdk";
import { Refusal } from "./http.ts";
import type { ServiceSettings } from "./settings.ts";

/** A room that nobody joins goes again, seconds. */
const EMPTY_TIMEOUT_S = 300;
const DEPARTURE_TIMEOUT_S = 20;

export class Sfu {
  readonly #rooms: RoomServiceClient | undefined;

  constructor({ endpoint, apiKey, apiSecret }: ServiceSettings["sfu"]) {
    if (endpoint !== undefined)
      this.#rooms = new RoomServiceClient(endpoint, apiKey, apiSecret, { requestTimeout: 10 });
  }

  /** @throws Refusal when the SFU does not do it: a token for no room is of no use */
  async makeRoom(name: string): Promise<void> {
    try {
      await this.#rooms?.createRoom({
        name,
        emptyTimeout: EMPTY_TIMEOUT_S,
        departureTimeout: DEPARTURE_TIMEOUT_S,
      });
    } catch (error) {
      console.error(`the SFU made no room: ${error instanceof Error ? error.message : error}`);
      throw new Refusal(500, "M_UNKNOWN", "the room could not be made");
    }
  }

  /** Undefined: it does not say. */
  async isConnected(room: string, identity: string): Promise<boolean | undefined> {
    if (this.#rooms === undefined) return undefined;
    try {
      await this.#rooms.getParticipant(room, identity);
      return true;
    } catch (error) {
      return error instanceof TwirpError && error.status === 404 ? false : undefined;
    }
  }
}
