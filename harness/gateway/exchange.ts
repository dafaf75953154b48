/** One request and its answer as the gateway saw them: a line of the trace. */
export interface Exchange {
  /** `<deployment>#<n>`, in order of arrival. */
  readonly id: string;
  /** Epoch milliseconds of arrival. */
  readonly at: number;
  readonly durationMs: number;
  /** A server's role, a peer's name, or `client`. */
  readonly from: string;
  /** A server's role, a peer's name, `appservice`, or a host nobody here has. */
  readonly to: string;
  readonly method: string;
  /** Path and query as sent, scrubbed. */
  readonly path: string;
  /** Check whose client made it, or whose peer made or received it. */
  readonly check?: string;
  /** Server name in the X-Matrix authorization, for a cross-check of `from`. */
  readonly origin?: string;
  /** Beginning of the SHA-256 of the access token: tells whose requests belong together, and nothing else. */
  readonly client?: string;
  readonly request: RecordedMessage;
  readonly status?: number;
  readonly response?: RecordedMessage;
  /** Names of the rules that acted. */
  readonly rules?: readonly string[];
  /** When rules acted and the server was asked: what it got and what it said, where that is not what the ends saw. */
  readonly server?: {
    readonly request?: RecordedMessage;
    readonly status?: number;
    readonly response?: RecordedMessage;
  };
  /** Why there is no answer. */
  readonly error?: string;
}

export interface RecordedMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** Text, scrubbed and cut at BODY_LIMIT bytes; absent for binary content. */
  readonly body?: string;
}

/** Bytes of a body that the trace keeps. */
export const BODY_LIMIT = 64 * 1024;
