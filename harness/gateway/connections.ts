/** The connections that are open, by directed link: so that a rule can end them when it comes into force. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Exchange } from "./exchange.ts";
import type { Subject } from "./rules.ts";

export interface Connection {
  readonly from: string;
  readonly to: string;
  readonly check: string | undefined;
  /** What the sender asked its proxy for, `<host>:<port>`; of its clients' connections the receiver's role. */
  readonly target: string;
  /** The rule that ended it. */
  cutBy?: string;
}

export class Connections {
  readonly #open = new Map<Connection, Socket>();
  readonly #bySocket = new WeakMap<object, Connection>();

  /**
   * @param carrier what requests come over: the socket itself, or TLS on top of it.
   * @param socket what is reset: under TLS the socket below it where that is known, since Node resets none itself.
   */
  add(connection: Connection, carrier: object, socket: Socket): void {
    this.#bySocket.set(carrier, connection);
    this.#open.set(connection, socket);
    socket.once("close", () => this.#open.delete(connection));
  }

  of(carrier: object): Connection | undefined {
    return this.#bySocket.get(carrier);
  }

  get open(): readonly Connection[] {
    return [...this.#open.keys()];
  }

  /** Resets it in the name of a rule. */
  cut(connection: Connection, rule: string): void {
    connection.cutBy = rule;
    const socket = this.#open.get(connection);
    if (socket !== undefined) resetSocket(socket);
  }

  /** Resets what requests come over. */
  reset(carrier: Socket): void {
    const connection = this.#bySocket.get(carrier);
    resetSocket((connection && this.#open.get(connection)) ?? carrier);
  }
}

/** Node resets no connection under TLS; without a close_notify its end says as little. */
function resetSocket(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** A connection as rules match it. */
export function subjectOf({ from, to, check, target }: Connection): Subject {
  return { from, to, method: "CONNECT", path: target, query: "", check };
}

/** Puts into the trace what became of a connection as such. */
export function recordConnection(
  trace: { readonly nextId: () => string; readonly record: (exchange: Exchange) => void },
  { from, to, check, target }: Connection,
  outcome: Pick<Exchange, "status" | "rules" | "error">,
): void {
  trace.record({
    id: trace.nextId(),
    at: Date.now(),
    durationMs: 0,
    from,
    to,
    ...(check === undefined ? {} : { check }),
    method: "CONNECT",
    path: target,
    request: { headers: {}, bytes: 0 },
    ...outcome,
  });
}
