/** LiveKit's room service, by its own library. */
import { RoomServiceClient, TwirpError } from "livekit-server-sdk";
import type { SfuAccess, ShowsRooms } from "#harness/deployment/rtc-contract";
import { describe, HarnessError } from "#harness/errors";

const TIMEOUT_S = 10;

export function roomsOf(role: string, { websocketUrl, apiKey, apiSecret }: SfuAccess): ShowsRooms {
  const base = websocketUrl.replace(/^ws/, "http");
  const service = new RoomServiceClient(base, apiKey, apiSecret, { requestTimeout: TIMEOUT_S });
  return {
    rooms: () =>
      asked(role, "rooms", async () => (await service.listRooms()).map(({ name }) => name)),
    participants: (room) =>
      asked(role, "participants", async () =>
        (await service.listParticipants(room).catch(noneIfGone)).map(
          ({ identity, permission }) => ({ identity, canPublish: permission?.canPublish ?? false }),
        ),
      ),
  };
}

function noneIfGone(error: unknown): [] {
  if (error instanceof TwirpError && error.status === 404) return [];
  throw error;
}

async function asked<T>(role: string, what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new HarnessError("HS_NO_ANSWER", {
      what: `${role} did not tell its ${what}: ${describe(cause)}`,
      next: `see the log of ${role}; for one that runs elsewhere, check its API key and secret`,
      cause,
    });
  }
}
