/** Why something is no event of its room version. */

export type EventFormatErrorCode =
  | "MISSING"
  | "NOT_ALLOWED"
  | "WRONG_TYPE"
  | "BAD_ID"
  | "OUT_OF_RANGE"
  | "TOO_LONG"
  | "TOO_MANY"
  | "TOO_LARGE";

/** Receivers drop what is no event ("Checks performed on receipt of a PDU", step 1). */
export class EventFormatError extends Error {
  override readonly name = "EventFormatError";
  readonly code: EventFormatErrorCode;
  /** Where, as a JSONPath: `$.prev_events[3]`. */
  readonly place: string;

  constructor(code: EventFormatErrorCode, place: string, what: string) {
    super(`${what} at ${place}`);
    this.code = code;
    this.place = place;
  }
}
