/** What matrix-js-sdk says, in the words of the engine inside it. */

import { EventShieldColour, EventShieldReason } from "matrix-js-sdk/lib/crypto-api/index.js";
import { CheckFailure, describe, HarnessError } from "#harness/errors";

export const COLOURS = {
  [EventShieldColour.NONE]: "none",
  [EventShieldColour.GREY]: "grey",
  [EventShieldColour.RED]: "red",
} as const;
export const SHIELDS: Partial<Record<EventShieldReason, string>> = {
  [EventShieldReason.UNVERIFIED_IDENTITY]: "UnverifiedIdentity",
  [EventShieldReason.UNSIGNED_DEVICE]: "UnsignedDevice",
  [EventShieldReason.UNKNOWN_DEVICE]: "UnknownDevice",
  [EventShieldReason.AUTHENTICITY_NOT_GUARANTEED]: "AuthenticityNotGuaranteed",
  [EventShieldReason.VERIFICATION_VIOLATION]: "VerificationViolation",
  [EventShieldReason.MISMATCHED_SENDER]: "MismatchedSender",
};

/** A request was refused, or got no answer: as the other kinds tell it. */
export function troubleOf(error: unknown): unknown {
  const { name, httpStatus } = error as { name?: string; httpStatus?: number };
  if (typeof httpStatus === "number") {
    return new CheckFailure("status 200", `${httpStatus} ${describe(error)}`);
  }
  if (name === "ConnectionError") {
    return new HarnessError("HS_NO_ANSWER", {
      what: describe(error),
      next: "see the server's log",
      cause: error,
    });
  }
  return error;
}
