/** A LiveKit that already runs: its rooms are used, and nothing of its settings is changed. */
import type { RunningSfu, SfuStartContext } from "#harness/deployment/rtc-contract";
import { runningAccess } from "./options.ts";
import { roomsOf } from "./rooms.ts";

export async function useRunning({ role, spec }: SfuStartContext): Promise<RunningSfu> {
  const access = runningAccess(spec);
  const base = new URL(access.websocketUrl);
  const isTls = base.protocol === "wss:";
  const port = base.port === "" ? (isTls ? 443 : 80) : Number(base.port);
  const showsRooms = roomsOf(role, access);
  // Tells now whether it runs and takes the key.
  await showsRooms.rooms();
  return {
    role,
    kind: "livekit",
    address: () => ({
      host: base.hostname,
      port,
      ...(isTls ? ({ tlsName: base.hostname, trust: "machine" } as const) : {}),
    }),
    access,
    settings: ["LiveKit runs elsewhere: its settings are not ours"],
    capabilities: { showsRooms },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
