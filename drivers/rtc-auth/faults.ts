/**
 * What the service does wrong for one request, when its header asks for it and its settings allow that. So a mutant can be a
 * token that no rule at the gateway could sign.
 */
import type { IncomingMessage } from "node:http";

export const FAULT_HEADER = "x-crucible-fault";

const FAULTS = [
  "publish-for-all",
  "no-subscribe",
  "sound-only",
  "room-create",
  "hidden",
  "update-metadata",
  "skip-subject-check",
  "skip-server-check",
  "skip-token-check",
  "skip-join-check",
  "skip-origin-check",
  "skip-url-check",
  "skip-delay-check",
  "skip-signature-check",
  "wrong-identity",
  "plain-room-name",
  "one-room",
  "no-room",
  "always-room",
  "let-restricted-delegate",
  "never-send",
  "never-restart",
  "never-store",
  "keep-earlier",
  "never-kick",
  "kick-once",
  "tell-upstream",
] as const;

export type Fault = (typeof FAULTS)[number];

export type Faults = ReadonlySet<Fault>;

const NONE: Faults = new Set();

export function faultsOf({ headers }: IncomingMessage, areTaken: boolean): Faults {
  const asked = headers[FAULT_HEADER];
  if (!areTaken || typeof asked !== "string") return NONE;
  return new Set(FAULTS.filter((fault) => asked.split(",").includes(fault)));
}
