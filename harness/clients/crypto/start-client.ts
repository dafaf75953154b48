/** A client of any kind, by its name. */
import type { Session } from "#harness/world/session";
import { type ClientKind, unsupported } from "./capabilities.ts";
import { ClientLog } from "./client-log.ts";
import type { ClientOptions, CryptoClient } from "./crypto-client.ts";
import { nioCommand } from "./nio/environment.ts";
import { nodeChild } from "./process/launch.ts";
import { RemoteClient } from "./process/remote-client.ts";
import { LEGACY, refusesPolicy, SIGNED, STRICT } from "./setup.ts";
import { InMemory } from "./store/keeping.ts";
import { Telling } from "./telling.ts";
import { WasmClient } from "./wasm-client.ts";

/**
 * Logs nobody in: the session's device becomes this client's, its keys uploaded.
 *
 * @throws Unsupported when this kind lacks what the options ask for
 */
export async function startClient(
  kind: ClientKind,
  session: Session,
  options: ClientOptions = {},
): Promise<CryptoClient> {
  const { policy = STRICT, sync = "v3", store = "memory", process = "shared", log } = options;
  switch (kind) {
    case "wasm": {
      if (store !== "memory" || process === "own") {
        return RemoteClient.start(kind, session, { ...options, store }, await nodeChild(kind));
      }
      const who = { user: session.userId, device: session.deviceId };
      const telling = new Telling(log === undefined ? undefined : new ClientLog(log, who));
      const place = undefined;
      return WasmClient.start({ session, policy, sync, keeping: new InMemory(), telling, place });
    }
    case "nio": {
      if (sync === "sliding") throw unsupported(kind, "sliding-sync");
      const reason = refusesPolicy(kind, options.policy ?? LEGACY);
      if (reason !== undefined) throw unsupported(kind, "policy", reason);
      const command = await nioCommand(session.context.signal);
      return RemoteClient.start(kind, session, { ...options, policy: LEGACY, store }, command);
    }
    case "js-sdk": {
      if (sync === "sliding") throw unsupported(kind, "sliding-sync");
      const { policy: wanted = SIGNED } = options;
      const reason = refusesPolicy(kind, wanted);
      if (reason !== undefined) throw unsupported(kind, "policy", reason);
      return RemoteClient.start(
        kind,
        session,
        { ...options, policy: wanted, store },
        await nodeChild(kind),
      );
    }
  }
}
