/** What a peer answers to a request. */
export interface Answer {
  readonly status: number;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, instead of `json`. */
  readonly raw?: string | Uint8Array | Iterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the connection after so many bytes of the body. */
  readonly cutAfter?: number;
}

export function answer(json: unknown, status = 200): Answer {
  return { status, json };
}

/** An error in Matrix's form. */
export function refusal(status: number, errcode: string, error = errcode): Answer {
  return { status, json: { errcode, error } };
}
