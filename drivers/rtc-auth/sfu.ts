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

  /** Rooms with participants, as it counts them now and then. */
  async occupiedRooms(): Promise<readonly string[]> {
    const rooms = (await this.#rooms?.listRooms().catch(noneSaid)) ?? [];
    return rooms.filter(({ numParticipants }) => numParticipants > 0).map(({ name }) => name);
  }

  /** Of its participants; empty also when it does not say. */
  async identitiesIn(room: string): Promise<readonly string[]> {
    const participants = (await this.#rooms?.listParticipants(room).catch(noneSaid)) ?? [];
    return participants.map(({ identity }) => identity);
  }

  /** Who has gone meanwhile is as good as removed. */
  async remove(room: string, identity: string): Promise<void> {
    await this.#rooms?.removeParticipant(room, identity).catch(noneSaid);
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

/** What is asked again and again need not be answered every time. */
function noneSaid(): [] {
  return [];
}
