/**
 * LiveKit's client for Node, `@livekit/rtc-node`, which is an optional dependency: it brings native code. Loaded only in processes of
 * their own, since its threads keep a process from ending and could take it down.
 */
import { createRequire } from "node:module";
import path from "node:path";
import type * as RtcNode from "@livekit/rtc-node";

export type Library = typeof RtcNode;

export const PACKAGE = "@livekit/rtc-node";

/** Below its typed interface: messages to the native library and from it, as protobuf-es has them. */
export interface Ffi {
  request(message: object): unknown;
  on(event: "ffi_event", listener: (event: FfiEvent) => void): void;
}

export interface FfiEvent {
  readonly message: { readonly case?: string; readonly value?: unknown };
}

export interface Loaded {
  readonly library: Library;
  readonly ffi: Ffi;
}

/** Its CommonJS build: the parts below are exported nowhere, and have to be of the same build. @throws when it is not installed */
export function loadRtcNode(): Loaded {
  const require = createRequire(import.meta.url);
  const folder = path.dirname(require.resolve(PACKAGE));
  // It would print between our lines.
  const { log } = require(path.join(folder, "log.cjs")) as { log: { level: string } };
  log.level = "silent";
  const library = require(PACKAGE) as Library;
  const { FfiClient } = require(path.join(folder, "ffi_client.cjs")) as {
    FfiClient: { readonly instance: Ffi };
  };
  return { library, ffi: FfiClient.instance };
}
