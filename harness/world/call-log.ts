/** What a check tells of its call as it goes on, for the timeline; nothing of it is a verdict. */
import { HarnessError } from "#harness/errors";
import { tokenDigest } from "#harness/gateway/message";
import {
  CALL_NOTES,
  type CallDevice,
  type CallFault,
  type CallNote,
  type CallPlace,
  type CallRecord,
} from "#harness/results/call";
import { type DeploymentInfo, servicesOf } from "./run-info.ts";

/** More than any call has; what comes after is left out. */
const MAX_NOTES = 5_000;
const MAX_FAULTS = 500;
/** Of the SHA-256 of a key: enough to tell keys apart, and nobody finds the key by it. */
const DIGEST = /^[0-9a-f]{4,16}$/;

export class CallLog {
  readonly #devices = new Map<string, CallDevice>();
  readonly #notes: CallNote[] = [];
  readonly #faults: CallFault[] = [];

  device(user: string, device: string, token: string): void {
    const client = tokenDigest(token);
    this.#devices.set(client, { client, user, device });
  }

  /** @throws HarnessError INTERNAL for what is no note: a key must not get in by another name */
  note(note: Omit<CallNote, "at"> & { readonly at?: number }): void {
    const { at = Date.now(), who, from, what, index, digest, ...others } = note;
    const isNote =
      Number.isFinite(at) &&
      typeof who === "string" &&
      CALL_NOTES.includes(what) &&
      (from === undefined || typeof from === "string") &&
      (index === undefined || Number.isInteger(index)) &&
      (digest === undefined || DIGEST.test(digest)) &&
      Object.keys(others).length === 0;
    if (!isNote) {
      throw new HarnessError("INTERNAL", {
        what: `no note of a call: ${Object.keys(note).join(", ")}`,
        next: "see CallNote in harness/results/call.ts; a digest has at most 16 hexadecimal digits",
      });
    }
    if (this.#notes.length >= MAX_NOTES) return;
    this.#notes.push({
      at,
      who,
      ...(from === undefined ? {} : { from }),
      what,
      ...(index === undefined ? {} : { index }),
      ...(digest === undefined ? {} : { digest }),
    });
  }

  /** Something is in force from now on; the answer ends it. */
  fault(what: string, role?: string): () => void {
    const from = Date.now();
    const at = this.#faults.length;
    if (at >= MAX_FAULTS) return () => undefined;
    const fault = { from, what, ...(role === undefined ? {} : { role }) };
    this.#faults.push(fault);
    return () => {
      this.#faults[at] ??= fault;
      if (this.#faults[at].to === undefined) this.#faults[at] = { ...fault, to: Date.now() };
    };
  }

  record(
    deployment: DeploymentInfo,
    around: Pick<CallRecord, "check" | "from" | "rooms">,
  ): CallRecord {
    const places = deployment.servers.flatMap((server): CallPlace[] => [
      { role: server.role, place: server.place, serverName: server.serverName },
      ...servicesOf(server).map(({ role, place }) => ({ role, place })),
    ]);
    return {
      deployment: deployment.id,
      ...around,
      to: Date.now(),
      places,
      devices: [...this.#devices.values()],
      faults: this.#faults,
      notes: this.#notes,
    };
  }
}
