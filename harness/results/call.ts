/** What a check knows of its call besides the wire log: who its devices are, what was done to servers, what was heard. */

import { z } from "zod";
import { HarnessError } from "#harness/errors";

/** States of what one member hears of another, of a connection to an SFU, and of a key. */
export const CALL_NOTES = [
  "heard",
  "silent",
  "missing-key",
  "failed",
  "connected",
  "disconnected",
  "key",
] as const;

/**
 * Something that changed for a member, told by the check or by its media worker: a line of JSON. Changes only, never a line a
 * frame.
 */
export interface CallNote {
  /** Epoch milliseconds. */
  readonly at: number;
  /** To whom: `@user:server`, or `@user:server/DEVICE`. */
  readonly who: string;
  /** The other side: whom `who` hears, or whose key it is; the SFU of a connection. Absent: its own key. */
  readonly from?: string;
  readonly what: (typeof CALL_NOTES)[number];
  /** Of the key. */
  readonly index?: number;
  /** Beginning of the SHA-256 of the key; the key itself is nowhere. */
  readonly digest?: string;
}

/** What was done to a server, or a rule at the gateway that was in force. */
export interface CallFault {
  readonly from: number;
  /** Absent: until the end of the check. */
  readonly to?: number;
  /** Role of the server, or of a service beside it; absent: a rule. */
  readonly role?: string;
  /** An action on the server, or the rule's name. */
  readonly what: string;
}

export interface CallDevice {
  /** As the trace names it. */
  readonly client: string;
  readonly user: string;
  readonly device: string;
}

/** A server or a service beside one. */
export interface CallPlace {
  /** As the check calls it, and as the trace does. */
  readonly role: string;
  readonly place: string;
  /** Absent for services. */
  readonly serverName?: string;
}

/** Of one check, in its evidence: with the trace enough to draw its call. */
export interface CallRecord {
  /** Id of the deployment, which names the trace. */
  readonly deployment: string;
  /** As the trace names the check. */
  readonly check: string;
  /** Epoch milliseconds of the check's start and end. */
  readonly from: number;
  readonly to: number;
  readonly rooms: readonly string[];
  readonly places: readonly CallPlace[];
  readonly devices: readonly CallDevice[];
  readonly faults: readonly CallFault[];
  readonly notes: readonly CallNote[];
}

const time = z.number().finite();
const schema = z.object({
  deployment: z.string(),
  check: z.string(),
  from: time,
  to: time,
  rooms: z.array(z.string()),
  places: z.array(
    z.object({ role: z.string(), place: z.string(), serverName: z.string().optional() }),
  ),
  devices: z.array(z.object({ client: z.string(), user: z.string(), device: z.string() })),
  faults: z.array(
    z.object({ from: time, to: time.optional(), role: z.string().optional(), what: z.string() }),
  ),
  notes: z.array(
    z.object({
      at: time,
      who: z.string(),
      from: z.string().optional(),
      what: z.enum(CALL_NOTES),
      index: z.number().int().optional(),
      digest: z.string().optional(),
    }),
  ),
});

/**
 * What evidence has of a call.
 *
 * @throws HarnessError BAD_FILE for what no run has written
 */
export function parseCall(value: unknown): CallRecord {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as CallRecord;
  throw new HarnessError("BAD_FILE", {
    what: "what evidence.jsonl has of a call is not as `crucible run` writes it",
    facts: [z.prettifyError(parsed.error)],
    next: "name a run of this version",
  });
}
