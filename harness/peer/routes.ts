/** Which handler answers a request: routes as in the specification, the latest that was added first. */
import type { Answer } from "./answer.ts";
import type { XMatrix } from "./request-auth.ts";

/** A request that came to a peer. */
export interface PeerRequest {
  readonly method: string;
  /** Without query, percent-encoded as it came. */
  readonly path: string;
  /** Path and query as they came. */
  readonly uri: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** Undefined when the body is not JSON. */
  readonly json: unknown;
  readonly authorization: XMatrix | undefined;
  /** Why it does not count as a request of the server that it says it comes from. */
  readonly authProblem: string | undefined;
}

export interface HandlerContext {
  /** A part of the path by its name in the route, decoded. */
  readonly parameter: (name: string) => string;
  /** What would have been answered without this handler. */
  readonly next: () => Promise<Answer | undefined>;
}

/** Undefined: the request is none of its business, as if it were not there. */
export type Handler = (
  request: PeerRequest,
  context: HandlerContext,
) => Promise<Answer | undefined> | Answer | undefined;

/** A handler in its place. Dispose takes it away. */
export interface HandlerHandle extends Disposable {
  /** Requests that it was asked about. */
  readonly calls: number;
}

interface Entry {
  readonly method: string;
  readonly path: RegExp;
  readonly handler: Handler;
  calls: number;
}

export class Routes {
  #entries: readonly Entry[] = [];

  /** @param route method and path: `GET /_matrix/federation/v1/event/{eventId}`. */
  add(route: string, handler: Handler): HandlerHandle {
    const { method, path } = parseRoute(route);
    const entry: Entry = { method, path, handler, calls: 0 };
    this.#entries = [entry, ...this.#entries];
    return {
      get calls() {
        return entry.calls;
      },
      [Symbol.dispose]: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }

  /** Undefined when no handler takes the request. */
  answer(request: PeerRequest): Promise<Answer | undefined> {
    return ask(request, this.#entries);
  }
}

/** True when the request is one of this route. */
export function isOfRoute({ method, path }: PeerRequest, route: string): boolean {
  const wanted = parseRoute(route);
  return wanted.method === method && wanted.path.test(path);
}

async function ask(
  request: PeerRequest,
  [entry, ...others]: readonly Entry[],
): Promise<Answer | undefined> {
  if (entry === undefined) return undefined;
  const next = () => ask(request, others);
  const match = entry.method === request.method ? entry.path.exec(request.path) : null;
  if (match === null) return await next();
  entry.calls++;
  const parameter = (name: string) => {
    const part = match.groups?.[name];
    if (part === undefined) throw new TypeError(`the route has no part ${name}`);
    return decodeURIComponent(part);
  };
  return (await entry.handler(request, { parameter, next })) ?? (await next());
}

function parseRoute(route: string): { method: string; path: RegExp } {
  const [method = "", template = ""] = route.split(" ");
  if (!template.startsWith("/")) throw new TypeError(`no method and path: ${route}`);
  const pattern = template
    .replace(/[.*+?^$()|[\]\\]/g, "\\$&")
    .replace(/\{(\w+)\}/g, "(?<$1>[^/]*)");
  return { method, path: new RegExp(`^${pattern}$`) };
}
