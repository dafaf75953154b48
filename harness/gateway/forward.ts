/** Carries one exchange over a link: receive, apply rules, forward, apply rules, answer, record. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { describe } from "#harness/errors";
import { BodyTap } from "./body-tap.ts";
import type { Connections } from "./connections.ts";
import type { Exchange, RecordedMessage } from "./exchange.ts";
import {
  type Answer,
  answerOf,
  changeHeaders,
  collect,
  type Headers,
  header,
  jsonOf,
  replaceAll,
  replaceInHeaders,
  rewrittenAnswer,
  splitOnce,
  tapped,
  tokenDigest,
  withoutHopByHop,
} from "./message.ts";
import { delayOf, paced } from "./pace.ts";
import { rewriteBody } from "./rewrite.ts";
import type { JsonValue, RuleAction, ScriptExchange } from "./rule.ts";
import type { RuleBook, Subject } from "./rules.ts";
import { scrub } from "./scrub.ts";

/** A directed link, as far as one exchange needs it. */
export interface Route {
  readonly from: string;
  readonly to: string;
  /** The check that a peer at either end belongs to. */
  readonly check?: string | undefined;
  /** Where to send it now; throws when nothing is there. */
  readonly upstream: () => Dispatcher;
  /** The name that the client asked for goes on, instead of the receiver's address. */
  readonly keepsHost?: boolean;
  /** Ends the server at one of its ends, for `kill` rules. */
  readonly kill: ((whom: "receiver" | "sender") => Promise<void>) | undefined;
}

/** A request, or a connection that a black hole has swallowed, that has not ended. */
export interface Unanswered extends Pick<Route, "from" | "to"> {
  readonly method: string;
  readonly path: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

export interface ForwardContext {
  readonly rules: RuleBook;
  readonly connections: Connections;
  readonly unanswered: Set<Unanswered>;
  readonly nextId: () => string;
  readonly record: (exchange: Exchange) => void;
}

/** To a request that comes over an open connection of a link that refuses. */
const REFUSAL = answerOf({
  kind: "answer",
  status: 504,
  text: "<html><body><h1>504 Gateway Timeout</h1></body></html>\n",
  headers: { "content-type": "text/html" },
});

/** Thrown by rules that end the exchange: the connection is destroyed, the trace says why. */
class Cut extends Error {}

export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  route: Route,
  context: ForwardContext,
): Promise<void> {
  const id = context.nextId();
  const at = Date.now();
  const started = performance.now();
  const target = request.url ?? "/";
  const [path = "/", query = ""] = splitOnce(target, "?");
  const check = header(request, "x-crucible-check") ?? route.check;
  const method = request.method ?? "GET";
  const authorization = header(request, "authorization");
  const origin = /origin="?([^",]+)/.exec(authorization ?? "")?.[1];
  const subject: Subject = {
    from: route.from,
    to: route.to,
    method,
    path,
    query,
    check,
    get client() {
      return clientOf(authorization).client;
    },
  };
  const requestTap = new BodyTap();
  const responseTap = new BodyTap();
  const acted: string[] = [];
  /** What rules kept from one of the two ends. */
  const hidden: { request?: RecordedMessage; status?: number; response?: RecordedMessage } = {};
  let wasAsked = false;
  let responseHeaders: Headers | undefined;
  let error: string | undefined;

  const abort = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) abort.abort();
  });

  /** What the server answered, as rules have left it so far. */
  let answer: Answer | undefined;
  /** Called once there is an answer or never will be one. */
  const whenOver: (() => void)[] = [];

  const act = async (
    phase: Parameters<RuleBook["take"]>[1],
    apply: (action: RuleAction) => void,
  ) => {
    if (context.rules.isEmpty) return;
    for (const taken of context.rules.take(subject, phase)) {
      const { rule, released, random, swap } = taken;
      let { action } = rule;
      if (action.kind === "script") {
        const given = action.run(scriptView(subject, answer));
        if (given === undefined) continue;
        taken.scriptActed();
        action = { kind: "answer", status: given.status, body: given.body as JsonValue };
      }
      acted.push(rule.name);
      if (action.kind === "delay") {
        await sleep(delayOf(action, random), undefined, { signal: abort.signal });
      } else if (action.kind === "gate") await race(released, abort.signal);
      else if (action.kind === "reorder") {
        whenOver.push(await swap.enter(action.withinMs, released, abort.signal));
      } else if (action.kind === "kill") await route.kill?.(action.whom ?? "receiver");
      else if (action.kind === "reset") throw new Cut("reset");
      else if (action.kind === "blackhole") await stayLost();
      else apply(action);
    }
  };
  let isLost = false;
  /** True once a black hole has swallowed something of this exchange: nothing more comes through, whatever ends. */
  const losesBytes = (): boolean => {
    if (isLost || context.rules.isEmpty) return isLost;
    for (const { rule } of context.rules.take(subject, "link", "blackhole")) {
      acted.push(rule.name);
      isLost = true;
    }
    return isLost;
  };
  /** Ends by throwing, when the client has given up. */
  const stayLost = async () => {
    isLost = true;
    request.resume();
    await race(new Promise(() => undefined), abort.signal);
  };

  /** The body on its way to the server. */
  let sending: Readable | undefined;
  const unanswered = { from: route.from, to: route.to, method, path: scrub(target), since: at };
  context.unanswered.add(unanswered);
  try {
    await run();
    dropRest();
  } catch (thrown) {
    const cutBy = context.connections.of(request.socket)?.cutBy;
    if (cutBy !== undefined && !acted.includes(cutBy)) acted.push(cutBy);
    const isGone = abort.signal.aborted && cutBy === undefined;
    error = scrub(
      cutBy !== undefined ? "reset" : isGone ? "the client went away" : describe(thrown),
    );
    request.resume();
    if (thrown instanceof Cut) context.connections.reset(request.socket);
    else request.socket.destroy();
  }
  for (const pass of whenOver.splice(0)) pass();
  context.unanswered.delete(unanswered);
  context.record({
    id,
    at,
    durationMs: Math.round((performance.now() - started) * 1000) / 1000,
    from: route.from,
    to: route.to,
    method,
    path: unanswered.path,
    ...(check === undefined ? {} : { check }),
    ...(origin === undefined ? {} : { origin }),
    ...clientOf(authorization),
    request: requestTap.record(request.headers),
    ...(subject.status === undefined ? {} : { status: subject.status }),
    ...(responseHeaders === undefined ? {} : { response: responseTap.record(responseHeaders) }),
    ...(acted.length === 0 ? {} : { rules: acted }),
    ...(acted.length > 0 && wasAsked ? { server: hidden } : {}),
    ...(error === undefined ? {} : { error }),
  });

  /** A server may answer before it has read all: the rest is in the way of the connection's next request. */
  function dropRest(): void {
    if (request.complete) return;
    if (sending === undefined || sending.closed) request.resume();
    else sending.once("close", () => request.resume()).destroy();
  }

  async function run(): Promise<void> {
    const outgoing = {
      method,
      path: target,
      headers: withoutHopByHop(request.headers),
      body: undefined as Buffer | undefined,
    };
    // Clients of the gateway name the gateway; servers name each other, and sign what they name.
    if (route.from === "client" && route.keepsHost !== true) delete outgoing.headers.host;
    const hasBody =
      request.headers["content-length"] !== undefined ||
      request.headers["transfer-encoding"] !== undefined;
    let answered: Answer | undefined;
    if (!context.rules.isEmpty) {
      await act("link", (action) => {
        if (action.kind === "refuse") answered = REFUSAL;
      });
    }
    if (answered !== undefined) {
      request.resume();
      return deliver(answered);
    }
    // Rules look at the body or change it; without one in sight it streams.
    if (
      !context.rules.isEmpty &&
      context.rules.concerns(subject, [
        "before",
        "mid-request",
        "processed",
        "mid-response",
        "after",
      ])
    ) {
      outgoing.body = await collect(tapped(request, requestTap));
      subject.requestText = outgoing.body.toString("utf8");
    }
    let copies = 1;
    let requestPace: number | undefined;
    await act("before", (action) => {
      if (action.kind === "answer") answered = answerOf(action);
      else if (action.kind === "duplicate") copies = 2;
      else if (action.kind === "slow") requestPace = action.bytesPerSecond;
      else if (action.kind === "truncate") throw new Cut("truncated");
      else if (action.kind === "rewrite") {
        outgoing.method = action.method ?? outgoing.method;
        outgoing.path = replaceAll(action.path ?? outgoing.path, action.head);
        changeHeaders(outgoing.headers, action.headers);
        replaceInHeaders(outgoing.headers, action.head);
        const text = outgoing.body?.toString("utf8") ?? "";
        const changed = rewriteBody(text, action);
        if (changed !== text) {
          outgoing.body = Buffer.from(changed);
          outgoing.headers["content-length"] = String(outgoing.body.length);
          hidden.request = recorded(outgoing.body, outgoing.headers);
        }
      }
    });
    if (answered !== undefined) return deliver(answered);

    let upstream = await send(piecesOf(outgoing.body, requestPace));
    if (copies === 2) {
      await upstream.body.dump();
      upstream = await send(undefined);
    }
    for (const pass of whenOver.splice(0)) pass();
    wasAsked = true;
    subject.status = upstream.statusCode;
    const headers = withoutHopByHop(upstream.headers);
    const isBuffered =
      !context.rules.isEmpty && context.rules.concerns(subject, ["processed", "mid-response"]);
    if (!isBuffered) {
      await stream(upstream, headers);
    } else {
      answer = {
        status: upstream.statusCode,
        headers,
        body: await collect(upstream.body),
      };
      const said = answer;
      hidden.status = said.status;
      hidden.response = recorded(said.body, said.headers);
      let pace: number | undefined;
      await act("processed", (action) => {
        if (action.kind === "answer") answer = answerOf(action);
        else if (action.kind === "slow") pace = action.bytesPerSecond;
        else if (action.kind === "truncate") throw new Cut("truncated");
        else if (action.kind === "rewrite" && answer !== undefined) {
          answer = rewrittenAnswer(answer, action);
        }
      });
      await deliver(answer, pace);
    }
    await act("after", (action) => {
      if (action.kind === "duplicate") {
        send(undefined).then(
          (again) => again.body.dump(),
          () => undefined,
        );
      }
    });

    async function send(body: AsyncIterable<Buffer> | undefined): Promise<Dispatcher.ResponseData> {
      const streamed =
        body ?? (outgoing.body === undefined && hasBody ? tapped(request, requestTap) : undefined);
      sending = streamed === undefined ? undefined : Readable.from(streamed);
      return await route.upstream().request({
        method: outgoing.method as Dispatcher.HttpMethod,
        path: outgoing.path,
        headers: outgoing.headers,
        body: sending ?? outgoing.body ?? null,
        signal: abort.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    }
  }

  /** A body that rules want to be sent in pieces; undefined: as a whole. */
  function piecesOf(body: Buffer | undefined, pace: number | undefined) {
    if (body === undefined || context.rules.isEmpty) return undefined;
    if (context.rules.concerns(subject, ["mid-request"])) return halves(body, pace);
    return pace === undefined ? undefined : paced(body, pace, abort.signal);
  }

  async function* halves(body: Buffer, pace = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    const middle = body.length >> 1;
    yield* paced(body.subarray(0, middle), pace, abort.signal);
    await act("mid-request", (action) => {
      if (action.kind === "truncate") throw new Cut("truncated");
    });
    yield* paced(body.subarray(middle), pace, abort.signal);
  }

  async function deliver(
    { status, headers: given, body }: Answer,
    pace = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const headers = { ...given };
    if (losesBytes()) await stayLost();
    subject.status = status;
    responseHeaders = headers;
    responseTap.add(body);
    headers["content-length"] = String(body.length);
    response.writeHead(status, { ...headers, "x-crucible-exchange": id });
    let sent = 0;
    if (!context.rules.isEmpty && context.rules.concerns(subject, ["mid-response"])) {
      sent = body.length >> 1;
      for await (const piece of paced(body.subarray(0, sent), pace, abort.signal)) {
        response.write(piece);
      }
      await act("mid-response", (action) => {
        if (action.kind !== "truncate") return;
        response.write(body.subarray(sent, action.bytes));
        throw new Cut("truncated");
      });
    }
    if (method !== "HEAD") {
      for await (const piece of paced(body.subarray(sent), pace, abort.signal)) {
        if (losesBytes()) await stayLost();
        response.write(piece);
      }
    }
    response.end();
  }

  async function stream(upstream: Dispatcher.ResponseData, headers: Headers): Promise<void> {
    if (losesBytes()) await stayLost();
    responseHeaders = headers;
    response.writeHead(upstream.statusCode, { ...headers, "x-crucible-exchange": id });
    for await (const chunk of upstream.body as AsyncIterable<Buffer>) {
      responseTap.add(chunk);
      if (losesBytes()) await stayLost();
      if (!response.write(chunk)) await race(drained(response), abort.signal);
    }
    response.end();
  }
}

function recorded(body: Buffer, headers: Headers): RecordedMessage {
  const tap = new BodyTap();
  tap.add(body);
  return tap.record(headers);
}

function clientOf(authorization: string | undefined): { readonly client?: string } {
  const token = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
  return token === undefined ? {} : { client: tokenDigest(token) };
}

/** The exchange as scripts see it. */
function scriptView(subject: Subject, answer: Answer | undefined): ScriptExchange {
  const { from, to, method, path, query, requestText = "" } = subject;
  const known = { from, to, method, path, query, request: jsonOf(requestText) };
  return answer === undefined
    ? known
    : { ...known, status: answer.status, answer: jsonOf(answer.body.toString("utf8")) };
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once("drain", resolve));
}

/** Waits, but no longer than the client does. */
async function race(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new Error("the client went away");
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new Error("the client went away"));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, gone]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
