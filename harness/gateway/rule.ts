/**
 * Rules: what the gateway does to exchanges besides forwarding them. They are data, so that they cross from a check to
 * the gateway and into a report unchanged. Faults and mutants are both made of them.
 */

/** When in an exchange a rule acts. */
export const PHASES = [
  "link",
  "before",
  "mid-request",
  "processed",
  "mid-response",
  "after",
] as const;
/**
 * `link`: a connection is being opened, is open when the rule comes into force, or brings an exchange of which the
 * gateway has read the head only; bodies are not looked at and go on streaming. A connection is matched as an exchange
 * `CONNECT <host>:<port>`, so a rule with another method or path acts on exchanges alone. `before`: the server has seen nothing. `mid-request`: it has the head and half of the body. `processed`: it has
 * answered, the client has nothing. `mid-response`: the client has half of the answer. `after`: the client has it all.
 */
export type Phase = (typeof PHASES)[number];

export interface RuleMatch {
  /** Sender of the request: a server's role, `client`, or the name of a peer. Absent: any. */
  readonly from?: string;
  /**
   * Receiver: a server's role, or another host name. Absent: any. Here and in `from` a `*` at the end stands for the rest
   * of a name: `peer-*`.
   */
  readonly to?: string;
  readonly method?: string;
  /** Path without query; `*` stands for one segment, `**` for any number. Percent-encoding as sent. */
  readonly path?: string;
  /** Text that the query or the request body must contain; the body is buffered for it. */
  readonly contains?: string;
  /** Statuses of the server's answer; only for phases from `processed` on. */
  readonly status?: number | readonly number[];
  /** Only exchanges that this check's clients make, or that its peers make or receive. */
  readonly check?: string;
  /** Only requests with this access token, as `Exchange.client` tells it: those of one device. */
  readonly client?: string;
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * Changes of a message. Pointers are RFC 6901 with two additions: the segment `*` stands for every key or index, and
 * `-1` for the last element of an array. `set` of a pointer whose parent is missing does nothing.
 */
export interface Rewrite {
  /** Response only. */
  readonly status?: number;
  /** Request only: method and path with query. `path` replaces the whole request target. */
  readonly method?: string;
  readonly path?: string;
  /** Null removes the header. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** `[pattern, replacement]` on the request's target and on the values of headers, all occurrences, plain strings. */
  readonly head?: readonly (readonly [string, string])[];
  readonly set?: Readonly<Record<string, JsonValue>>;
  readonly remove?: readonly string[];
  /** Turns the order of these arrays round. */
  readonly reverse?: readonly string[];
  /** Replaces the whole body, before `set` and `remove`. */
  readonly body?: JsonValue;
  /** Replaces the whole body by this text, after everything else. */
  readonly text?: string;
  /** `[pattern, replacement]` on the body's text, all occurrences, plain strings. */
  readonly replace?: readonly (readonly [string, string])[];
  /** Keeps this share of the text, 0 to 1, after everything else: JSON that ends half way in a message that does not. */
  readonly keep?: number;
}

export type RuleAction =
  /**
   * Closes the connection with a TCP reset. Phase `link`: at once those that are open, and new ones. Before the server has
   * seen anything this drops the request, once it is `processed` it drops the answer after delivery.
   */
  | { readonly kind: "reset" }
  /** Phase `link`: answers CONNECT, and requests over connections that are open, with 504. The server sees nothing. */
  | { readonly kind: "refuse" }
  /**
   * The connection stays open and nothing more comes over it: what is sent is lost, as packets are in a split. What was
   * lost stays lost when the rule ends, so such an exchange or connection ends by its sender's time-out; other
   * connections that were idle in between go on. A request whose head has passed before arrives, and its answer is lost.
   */
  | { readonly kind: "blackhole" }
  /** Phase `link`: new connections get a certificate that does not prove the name; those that are open are closed. */
  | { readonly kind: "certificate"; readonly of: "other-name" | "other-authority" }
  /** Answers in the server's place. Phase `before`: the server never sees the request. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: JsonValue;
      readonly text?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Between `ms` and `ms + jitterMs`, drawn from the rule's own source, whose seed is its name unless given. */
  | {
      readonly kind: "delay";
      readonly ms: number;
      readonly jitterMs?: number;
      readonly seed?: number | string;
    }
  /** The body takes its time: of the request in phase `before`, of the answer in `processed`. */
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /**
   * Phase `before`: of each two exchanges the first is forwarded when the second has been answered, or when so long has
   * passed and none has come. Senders that do one thing at a time show no second one.
   */
  | { readonly kind: "reorder"; readonly withinMs: number }
  /** Ends the message after this many bytes, then closes the connection. */
  | { readonly kind: "truncate"; readonly bytes: number }
  /** Of the request in phase `before`, of the answer in `processed`. */
  | ({ readonly kind: "rewrite" } & Rewrite)
  /** Sends the request to the server twice; the client gets the second answer (`before`) or the first (`after`). */
  | { readonly kind: "duplicate" }
  /** Holds the exchange until the rule's handle is released or removed. */
  | { readonly kind: "gate" }
  /** Ends the receiving server at once, or the sending one, then goes on. */
  | { readonly kind: "kill"; readonly whom?: "receiver" | "sender" };

/** What a script sees of an exchange. */
export interface ScriptExchange {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** JSON of the request's body; undefined when it is none. */
  readonly request: unknown;
  /** Of the server, in phase `processed`. */
  readonly status?: number;
  /** JSON of the server's answer, in phase `processed`. */
  readonly answer?: unknown;
}

/**
 * For callers in the gateway's own process: answers in the server's place (`before`), or instead of what it answered
 * (`processed`). Undefined leaves the exchange alone, and counts as if the rule had not fitted. Requests are not changed,
 * since servers sign them.
 */
export interface ScriptAction {
  readonly kind: "script";
  readonly run: (
    exchange: ScriptExchange,
  ) => { readonly status: number; readonly body: unknown } | undefined;
}

/** A rule of a caller in the gateway's own process. */
export type LocalRule = Omit<Rule, "action"> & { readonly action: RuleAction | ScriptAction };

export interface Rule {
  /** For the trace and for messages. */
  readonly name: string;
  readonly match: RuleMatch;
  readonly phase: Phase;
  readonly action: RuleAction;
  /** Fires at most so often. Absent: always. */
  readonly times?: number;
}

/** True when the path without query fits the pattern, see RuleMatch.path. */
export function pathMatches(pattern: string, path: string): boolean {
  return segmentsMatch(pattern.split("/"), path.split("/"));
}

/** True when the name fits the pattern, see RuleMatch.to. */
export function nameMatches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function segmentsMatch(pattern: readonly string[], path: readonly string[]): boolean {
  const [head, ...rest] = pattern;
  if (head === undefined) return path.length === 0;
  if (head === "**") {
    for (let skip = 0; skip <= path.length; skip++) {
      if (segmentsMatch(rest, path.slice(skip))) return true;
    }
    return false;
  }
  const [segment, ...remaining] = path;
  if (segment === undefined) return false;
  return (head === "*" || head === segment) && segmentsMatch(rest, remaining);
}
