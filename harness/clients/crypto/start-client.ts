/** A client of any kind, by its name. */
import type { Session } from "#harness/world/session";
import { type ClientKind, unsupported } from "./capabilities.ts";
import type { ClientOptions, CryptoClient } from "./crypto-client.ts";
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
  switch (kind) {
    case "wasm":
      return WasmClient.start(session, options);
    case "js-sdk":
    case "nio":
      throw unsupported(kind, "process");
  }
}
