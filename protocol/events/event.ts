/** An event as auth rules and state resolution see it: parsed once, ids as strings. */

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

export interface RoomEvent {
  readonly id: string;
  readonly type: string;
  /** Absent on events that are no state. */
  readonly stateKey?: string;
  readonly sender: string;
  /** In room version 12 also of the create event, which does not carry it. */
  readonly roomId: string;
  readonly content: JsonObject;
  readonly authEvents: readonly string[];
  readonly prevEvents: readonly string[];
  /** Milliseconds since 1970, as the sender claims. */
  readonly originServerTs: number;
  readonly depth: number;
  /** Of a redaction below version 11, where it stands at the top level. */
  readonly redacts?: string;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
