/** What of an event follows from its content: its id, its content hash, and who signed it. */
import { describe } from "#harness/errors";
import { hasValidHash } from "#protocol/events/hashes";
import { requiredSigners, verifyEvent } from "#protocol/events/signatures";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { shown } from "#tardis/explain/shown";
import { checkIds } from "#tardis/model/check-ids";
import { isExact } from "#tardis/model/json";
import type { Pdu, Run } from "#tardis/model/run";
import type { EventCheck } from "./messages.ts";

export function eventChecks(run: Run, pdu: Pdu, version: RoomVersion): readonly EventCheck[] {
  return [
    { what: "its id", ...idOf(run, pdu) },
    { what: "its hash", ...(isBlank(run) ? TAKEN_OUT : orUnknown(pdu, () => hashOf(pdu))) },
    { what: "signatures", ...orUnknown(pdu, () => signaturesOf(run, pdu, version)) },
  ];
}

type Result = Pick<EventCheck, "text" | "isRight">;

/** Ids and signatures are those of the redacted event; the hash is of all of it. */
const TAKEN_OUT: Result = {
  text: "can not be checked: what people wrote was taken out",
  isRight: undefined,
};

function isBlank({ meta }: Run): boolean {
  return meta.redacted === true;
}

function orUnknown({ json }: Pdu, check: () => Result): Result {
  if (!isExact(json)) {
    return { text: "can not be checked: a number in it lost digits", isRight: undefined };
  }
  try {
    return check();
  } catch (error) {
    const why = shown(describe(error));
    return { text: `can not be checked: ${why}`, isRight: undefined };
  }
}

function idOf(run: Run, pdu: Pdu): Result {
  const { calculated, matching, differing } = checkIds({ ...run, pdus: [pdu] });
  const [other] = differing;
  if (other !== undefined) {
    const text = `does not match: its content has the id ${other.calculated}`;
    return { text, isRight: false };
  }
  if (matching > 0) {
    const what = isBlank(run) ? "what is left of its content" : "its content";
    return { text: `matches ${what}`, isRight: true };
  }
  const text = calculated > 0 ? "calculated from its content" : "can not be checked";
  return { text, isRight: undefined };
}

function hashOf({ json }: Pdu): Result {
  if (json.hashes === undefined) return { text: "it has none", isRight: undefined };
  return hasValidHash(json)
    ? { text: "matches its content", isRight: true }
    : { text: "does not match its content: servers have to redact it", isRight: false };
}

function signaturesOf({ servers }: Run, { json }: Pdu, version: RoomVersion): Result {
  if (json.signatures === undefined) return { text: "it has none", isRight: undefined };
  const keys = new Map(servers.map((server) => [server.name, server.keys]));
  const problem = verifyEvent(
    json,
    version,
    (server, keyId) => {
      const publicKey = keys.get(server)?.get(keyId);
      // Files tell keys without how long they are valid.
      return publicKey === undefined
        ? undefined
        : { publicKey, validUntilTs: Number.POSITIVE_INFINITY };
    },
    Number.POSITIVE_INFINITY,
  );
  if (problem === undefined) {
    const signers = [...requiredSigners(json, version)].map((name) => shown(name ?? ""));
    return { text: `right, of ${signers.join(" and ")}`, isRight: true };
  }
  return problem.code === "NO_VALID_KEY"
    ? {
        text: `can not be checked: the file has no such key; ${shown(problem.why)}`,
        isRight: undefined,
      }
    : { text: `wrong: ${shown(problem.why)}`, isRight: false };
}
