/**
 * The line between checks and the command that holds servers and gateways: JSON over HTTP on loopback, with a token.
 * Both sides share the interface; the transport knows nothing of its methods.
 */
import { timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { errors, request } from "undici";
import type { ServerAction } from "#harness/deployment/actions";
import type { Administration, Feature, Registered, Setting } from "#harness/deployment/contract";
import { describe, HarnessError, type HarnessErrorCode } from "#harness/errors";
import type { Rule } from "#harness/gateway/rule";
import { IDLE_MS } from "#harness/http/idle";
import type { CheckEvidence } from "#harness/replay/record";
import type { DeploymentInfo } from "./run-info.ts";

export interface PeerLink {
  readonly proxyPort: number;
  readonly ca: string;
}

export interface Control {
  register(
    deployment: string,
    role: string,
    localpart: string,
    password: string,
    isAdmin: boolean,
  ): Promise<Registered>;
  addRule(deployment: string, rule: Rule): Promise<string>;
  ruleFired(deployment: string, rule: string): Promise<number>;
  releaseRule(deployment: string, rule: string): Promise<void>;
  /** Takes the rule back; tells how often it fired. */
  removeRule(deployment: string, rule: string): Promise<number>;
  actOnServer(deployment: string, role: string, action: ServerAction): Promise<void>;
  /** Starts a server again with a setting, see `RestartsWith`; tells how it ended instead of answering, null: it answers. */
  restartWith(deployment: string, role: string, setting: Setting): Promise<string | null>;
  /** Asks the admin side of a server for an account; tells whether it made one. */
  makeAccount(
    deployment: string,
    role: string,
    localpart: string,
    adminToken: string,
  ): Promise<boolean>;
  /** Calls a method of what administrators of a server can do. */
  administer(
    deployment: string,
    role: string,
    capability: Administration,
    method: string,
    parameters: readonly unknown[],
  ): Promise<void>;
  /** Calls a method of an opt-in ability of an auth service. */
  askAuth(
    deployment: string,
    role: string,
    capability: "managesAccounts" | "faults",
    method: string,
    parameters: readonly unknown[],
  ): Promise<unknown>;
  /** What an SFU is reached by, and what its admin side tells. */
  askSfu(
    deployment: string,
    role: string,
    method: "access" | "rooms" | "participants",
    parameters: readonly string[],
  ): Promise<unknown>;
  /** Starts an RTC authorization service without its list of servers, see `StartsBare`; tells how that ended. */
  startRtcBare(deployment: string, role: string): Promise<string>;
  /** How services beside homeservers were down by themselves since then (epoch milliseconds), one line each. */
  serviceOutages(deployment: string, since: number): Promise<readonly string[]>;
  serverLog(deployment: string, role: string, lines: number): Promise<readonly string[]>;
  /** CPU time of a server so far, milliseconds; null: its driver can not tell. */
  cpuMs(deployment: string, role: string): Promise<number | null>;
  /** Sends what servers push to the application service to this port on loopback; null: the gateway answers it. */
  setAppservice(deployment: string, port: number | null): Promise<void>;
  /**
   * Gives a peer of a check its name; `port` is where it listens on loopback. What it sends goes through the proxy, whose
   * certificates are of the authority (PEM).
   */
  addPeer(deployment: string, name: string, port: number, check: string): Promise<PeerLink>;
  removePeer(deployment: string, name: string): Promise<void>;
  /** Keeps what is known of a check's rooms for a replay file; returns its path within the run directory, null when there are enough. */
  recordCheck(evidence: CheckEvidence): Promise<string | null>;
  /** Waits until there is room for a check's own servers; it is taken until `stopIsolated`, or until they did not start. */
  roomForIsolated(needs: readonly string[] | null): Promise<void>;
  /**
   * @param needs what the check's requirement needs: without `federation` the first server is started alone, and SFUs and RTC
   *   services only where something of theirs is named; null: all that the deployment has.
   */
  startIsolated(
    features: readonly Feature[],
    needs: readonly string[] | null,
  ): Promise<DeploymentInfo>;
  stopIsolated(deployment: string): Promise<void>;
}

/** Starting an isolated deployment is the longest thing that is done. */
export const CALL_TIMEOUT_MS = 180_000;
/** Other checks give back their servers once they end, some of which take minutes. */
export const ROOM_TIMEOUT_MS = 600_000;

interface Answer {
  readonly result?: unknown;
  readonly error?: { code: HarnessErrorCode; what: string; facts: string[]; next?: string };
}

const LIMITS = { callMs: CALL_TIMEOUT_MS, roomMs: ROOM_TIMEOUT_MS };
const ROOM = "roomForIsolated" satisfies keyof Control;

export function controlClient(
  { url, token }: { url: string; token: string },
  limits: { readonly callMs: number; readonly roomMs: number } = LIMITS,
): Control {
  const ask = async (method: string, parameters: unknown[]) => {
    const timeoutMs = method === ROOM ? limits.roomMs : limits.callMs;
    try {
      const { statusCode, body } = await request(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ method, parameters }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      return { statusCode, answer: (await body.json()) as Answer };
    } catch (cause) {
      throw unansweredBy(method, timeoutMs, cause);
    }
  };
  const call = async (method: string, parameters: unknown[]): Promise<unknown> => {
    const { statusCode, answer } = await ask(method, parameters);
    if (statusCode === 200) return answer.result;
    const { code, what, facts, next } = answer.error ?? {
      code: "INTERNAL" as const,
      what: `control answered ${statusCode}`,
      facts: [],
    };
    throw new HarnessError(code, { what, facts, ...(next === undefined ? {} : { next }) });
  };
  return new Proxy({} as Control, {
    get: (_, method) =>
      typeof method === "string"
        ? (...parameters: unknown[]) => call(method, parameters)
        : undefined,
  });
}

/** The command did not do in time what a check asked of it, or is gone: nothing that a server is to blame for. */
function unansweredBy(method: string, timeoutMs: number, cause: unknown): HarnessError {
  const isLate =
    cause instanceof errors.HeadersTimeoutError || cause instanceof errors.BodyTimeoutError;
  if (!isLate) {
    return new HarnessError("INTERNAL", {
      what: `the command that holds the servers gave no answer to ${method}`,
      facts: [describe(cause)],
      next: "it may have ended: see its last lines",
      cause,
    });
  }
  const within = `within ${timeoutMs / 1000} s`;
  const told: Readonly<Record<string, string>> = {
    roomForIsolated: `no other check gave servers of its own back ${within}`,
    startIsolated: `servers of the check's own did not start ${within}`,
  } satisfies Partial<Record<keyof Control, string>>;
  return new HarnessError("DEADLINE", {
    what: told[method] ?? `the command that holds the servers did not answer ${method} ${within}`,
    facts: [describe(cause)],
    next: "the machine has too much to do: give it less at a time, and see the run's logs folder for how far the servers came",
    cause,
  });
}

/** Serves the control interface on a free loopback port. */
export async function serveControl(
  control: Control,
): Promise<AsyncDisposable & { readonly url: string; readonly token: string }> {
  const token = crypto.randomUUID();
  const expected = Buffer.from(`Bearer ${token}`);
  const server = createServer({ keepAliveTimeout: IDLE_MS }, async (incoming, outgoing) => {
    const given = Buffer.from(incoming.headers.authorization ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      outgoing.writeHead(401).end("{}");
      return;
    }
    const answer = (status: number, body: unknown) =>
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const { method, parameters } = JSON.parse(Buffer.concat(chunks).toString()) as {
        method: keyof Control;
        parameters: never[];
      };
      const implementation = control[method] as
        | ((...parameters: never[]) => Promise<unknown>)
        | undefined;
      if (typeof implementation !== "function") throw new TypeError(`control has no ${method}`);
      answer(200, { result: (await implementation(...parameters)) ?? null });
    } catch (error) {
      const own = error instanceof HarnessError ? error : undefined;
      answer(500, {
        error: {
          code: own?.code ?? "INTERNAL",
          what: own?.what ?? describe(error),
          facts: own?.facts ?? [],
          next: own?.next,
        },
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
