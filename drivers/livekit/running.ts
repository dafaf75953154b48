/** A LiveKit that already runs: its rooms are used, and nothing of its settings is changed. */
import { addressOf } from "#drivers/substrates/running";
import type { RunningSfu, SfuStartContext } from "#harness/deployment/rtc-contract";
import { runningAccess } from "./options.ts";
import { roomsOf } from "./rooms.ts";

export async function useRunning({ role, spec }: SfuStartContext): Promise<RunningSfu> {
  const access = runningAccess(spec);
  const address = addressOf(new URL(access.websocketUrl));
  const showsRooms = roomsOf(role, access);
  // Tells now whether it runs and takes the key.
  await showsRooms.rooms();
  return {
    role,
    kind: "livekit",
    address: () => address,
    access,
    settings: ["LiveKit runs elsewhere: its settings are not ours"],
    capabilities: { showsRooms },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
