/** What a check gets: servers, fresh users, deadlines, rules at the gateway. One world a check; it cleans up behind it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { awakeMs } from "#harness/awake";
import type { ServerAction } from "#harness/deployment/actions";
import type { Setting } from "#harness/deployment/contract";
import { CheckFailure, HarnessError, Unsupported } from "#harness/errors";
import type { Rule, RuleAction, RuleMatch } from "#harness/gateway/rule";
import { scrubValues, secretsIn } from "#harness/gateway/scrub";
import { createClient, type HttpClient, type HttpResponse } from "#harness/http/client";
import { IDLE_MS } from "#harness/http/idle";
import { textAt } from "#harness/match/json";
import { pauseMs } from "#harness/pause";
import { Peer } from "#harness/peer/peer";
import type { Random } from "#harness/random";
import type { RequirementId } from "#harness/requirements/ids.generated";
import type { CallRecord } from "#harness/results/call";
import type { Measurement } from "#harness/results/measurement";
import type { Undecryptable } from "#harness/results/outcome";
import { administrationOf, type WorldAdministration } from "./administration.ts";
import { authOf, type WorldAuth } from "./auth.ts";
import { CallLog } from "./call-log.ts";
import type { Control } from "./control.ts";
import { isBehindClients, placeOf } from "./deal.ts";
import { ok } from "./expect.ts";
import type { DeploymentInfo, RtcInfo, ServerInfo } from "./run-info.ts";
import { type Account, ServerClient, Session, type SessionContext } from "./session.ts";
import { sfuOf, type WorldSfu } from "./sfu.ts";

export interface WorldOptions {
  readonly requirement: string;
  readonly check: string;
  readonly deployment: DeploymentInfo;
  readonly control: Control;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly timeoutScale: number;
  readonly propertySeconds: number;
  readonly accountSizes: readonly number[];
  readonly clientLogs?: string;
}

/** An answer that broke a rule which the check is not about. */
export interface Violation {
  readonly requirement: string;
  readonly message: string;
  readonly exchange?: string;
}

/** A rule in force; taking it back tells how often it fired. */
export interface RuleHandle extends AsyncDisposable {
  readonly fired: () => Promise<number>;
  /** Lets go what a `gate` rule holds. */
  readonly release: () => Promise<void>;
  /** Ends the rule. @throws HarnessError RULE_NEVER_FIRED when it did nothing. */
  readonly end: () => Promise<number>;
}

export interface PeerOptions {
  /** Of its name; `peer` unless given. */
  readonly prefix?: string;
  /**
   * `host` unless given: a name with a port. `address`: an address with a port. `delegated`: a name without a port, whose
   * well-known file names another one. Only servers that send by the proxy (`fedproxy`) reach the latter two.
   */
  readonly kind?: "host" | "address" | "delegated";
}

const POLL_MS = 40;
const POLL_PART = 1 / 16;
const EVENTUALLY_MS = 10_000;
const DELEGATE_PORT = 9999;

export class World implements AsyncDisposable {
  readonly #options: WorldOptions;
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  readonly #context: SessionContext;
  readonly #peers: Peer[] = [];
  readonly #anonymous = new Map<string, ServerClient>();
  /** Tokens and passwords that were handed out: failures quote values without saying what they are. */
  readonly #secrets = new Set<string>();
  /** Of every exchange so far, in order. */
  readonly exchanges: string[] = [];
  readonly notes: string[] = [];
  readonly violations: Violation[] = [];
  readonly measurements: Measurement[] = [];
  /** For the timeline of its call. */
  readonly #call = new CallLog();
  /** Messages that its devices could not read. */
  readonly undecryptable: Undecryptable[] = [];
  /** Rooms that its users have had to do with, and those users' clients. */
  readonly rooms = new Map<string, Set<ServerClient>>();
  lastExchange: HttpResponse | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#context = {
      check: options.check,
      signal: options.signal,
      timeoutScale: options.timeoutScale,
      nextName: (prefix) => options.random.name(prefix),
      accountsOf: ({ role, auth }) => (auth === undefined ? undefined : this.auth(role).accounts),
      onRoom: (roomId, client) => {
        const clients = this.rooms.get(roomId) ?? new Set();
        this.rooms.set(roomId, clients.add(client));
      },
      onDevice: ({ userId, deviceId, accessToken }) =>
        this.#call.device(userId, deviceId, accessToken),
      onExchange: (response) => {
        this.lastExchange = response;
        const { location } = response.headers;
        for (const text of [response.text, location].flat())
          for (const secret of secretsIn(text ?? "")) this.#secrets.add(secret);
        if (response.exchange !== undefined) this.exchanges.push(response.exchange);
      },
    };
  }

  get deployment(): DeploymentInfo {
    return this.#options.deployment;
  }

  /** Ends with the check's deadline. */
  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** A number in [0, max) that the run's seed decides. */
  integer(max: number): number {
    return this.#options.random.integer(max);
  }

  /** How long a random search may take; 0: it is not asked for. */
  get propertySeconds(): number {
    return this.#options.propertySeconds;
  }

  /** Rooms of the accounts on which performance is to be measured, ascending. */
  get accountSizes(): readonly number[] {
    return this.#options.accountSizes;
  }

  /** File for the log of an encrypting client, by the name that the check has for it; undefined: it keeps none. */
  clientLog(device: string): string | undefined {
    const { clientLogs, check } = this.#options;
    if (clientLogs === undefined) return undefined;
    return path.join(clientLogs, `${check}.${device}.ndjson`);
  }

  /** A fresh name: prefix, a hyphen, and letters and digits that no other check uses. */
  name(prefix: string): string {
    return this.#options.random.name(prefix);
  }

  /** @throws Unsupported when the topology has no such server. */
  server(role = "hs1"): ServerInfo {
    const server = this.deployment.servers.find((candidate) => candidate.role === role);
    if (server === undefined) throw new Unsupported("federation", `the topology has no ${role}`);
    return server;
  }

  /** True when the deployment has a feature that requirements name under `needs`. */
  has(feature: string): boolean {
    return this.deployment.features.includes(feature);
  }

  /** Ends the check as `skip: unsupported` unless the deployment has the feature. */
  needs(feature: string): void {
    if (!this.has(feature)) throw new Unsupported(feature);
  }

  /**
   * The auth service of a server.
   *
   * @throws Unsupported when it has none
   */
  auth(role = "hs1"): WorldAuth {
    const info = this.server(role).auth;
    if (info === undefined) throw new Unsupported("next-gen-auth", `${role} has no auth service`);
    const { control, deployment } = this.#options;
    const auth = authOf(control, deployment, info, {
      onFault: () => this.#cleanups.push(() => auth.faults.clear()),
      onSecret: (secret) => this.#secrets.add(secret),
    });
    return auth;
  }

  /**
   * The RTC authorization service of a server.
   *
   * @throws Unsupported when it has none
   */
  rtc(role = "hs1"): RtcInfo {
    const { rtc } = this.server(role);
    if (rtc === undefined) throw new Unsupported("rtc-auth", `${role} has no such service`);
    return rtc;
  }

  /**
   * The SFU of a server.
   *
   * @throws Unsupported when it has none
   */
  sfu(role = "hs1"): WorldSfu {
    const { sfu } = this.server(role);
    if (sfu === undefined) throw new Unsupported("sfu", `${role} has none; see --sfu`);
    const { control, deployment } = this.#options;
    return sfuOf(control, deployment, sfu);
  }

  /** A client of a service beside the homeservers, such as an SFU's HTTP API, by its base URL. */
  clientOf(base: string): HttpClient {
    const { check, onExchange } = this.#context;
    return createClient({ baseUrl: base.replace(/\/$/, ""), check, onExchange });
  }

  /** A new account without a device, for the pages of the server's auth service. */
  async account(prefix: string, role = "hs1"): Promise<Account & { readonly server: ServerInfo }> {
    const server = this.server(role);
    const localpart = this.name(prefix);
    const password = this.name("password");
    await this.auth(role).accounts.createAccount(localpart, password);
    this.#secrets.add(password);
    return { userId: `@${localpart}:${server.serverName}`, localpart, password, server };
  }

  /** A client without a token. */
  anonymous(role = "hs1"): ServerClient {
    let client = this.#anonymous.get(role);
    if (client === undefined) {
      client = new ServerClient(this.server(role), this.#context);
      this.#anonymous.set(role, client);
    }
    return client;
  }

  /** Unsigned requests to a server's federation API. */
  federation(role = "hs1"): ServerClient {
    return new ServerClient(this.server(role), this.#context, { api: "federation" });
  }

  /** A new account with one device, made past the API under test. */
  user(prefix: string, role = "hs1"): Promise<Session> {
    return this.#register(prefix, role, false);
  }

  /** A new administrator of a server that has its accounts itself. */
  admin(role = "hs1"): Promise<Session> {
    return this.#register("admin", role, true);
  }

  async #register(prefix: string, role: string, isAdmin: boolean): Promise<Session> {
    const server = this.server(role);
    const localpart = this.name(prefix);
    const password = this.name("password");
    const { control, deployment } = this.#options;
    const registered = await control.register(
      deployment.id,
      server.place,
      localpart,
      password,
      isAdmin,
    );
    for (const secret of [password, registered.accessToken]) this.#secrets.add(secret);
    return new Session(server, this.#context, { ...registered, localpart, password });
  }

  /** Several new accounts of one server at once, named after what they are called here. */
  users<const Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ [Index in keyof Names]: Session }> {
    return Promise.all(names.map((name) => this.user(name))) as Promise<{
      [Index in keyof Names]: Session;
    }>;
  }

  /** A further device of a user, by POST /login with the password. */
  async login(
    account: Account & { readonly server: ServerInfo },
    options: Record<string, unknown> = {},
  ): Promise<Session> {
    const body = ok(
      await this.anonymous(account.server.role).post("/_matrix/client/v3/login", {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: account.userId },
        password: account.password,
        ...options,
      }),
    );
    return this.session(account.server.role, account, {
      accessToken: textAt(body, "access_token"),
      deviceId: textAt(body, "device_id"),
    });
  }

  /** A client for a token that the check got by itself. */
  session(
    role: string,
    account: Account,
    device: { accessToken: string; deviceId: string },
  ): Session {
    const { userId, localpart, password } = account;
    return new Session(this.server(role), this.#context, {
      userId,
      localpart,
      password,
      ...device,
    });
  }

  /** A text about this check without tokens and passwords. */
  scrub(text: string): string {
    return scrubValues(text, this.#secrets);
  }

  /**
   * An answer has broken a rule that holds for all answers. It fails this check when that is what the check is about;
   * otherwise it counts against the other requirement, in a result of its own.
   *
   * @throws CheckFailure
   */
  violation(
    requirement: RequirementId,
    expected: string,
    actual: string,
    response: HttpResponse,
  ): void {
    const failure = new CheckFailure(expected, actual, response.describe());
    if (requirement === this.#options.requirement) throw failure;
    this.violations.push({
      requirement,
      message: this.scrub(failure.message),
      exchange: this.scrub(response.describe()),
    });
  }

  /** Worth knowing, but no verdict: an accepted deviation, an optional part that is missing. */
  note(text: string): void {
    this.notes.push(this.scrub(text));
  }

  /** Something that changed for a member of a call, for the picture of it: see CallNote. */
  callNote(note: Parameters<CallLog["note"]>[0]): void {
    this.#call.note(note);
  }

  /** What the picture of its call is made of, with the trace. @param from when the check began (epoch milliseconds) */
  callRecord(from: number): CallRecord {
    const { check } = this.#options;
    return this.#call.record(this.deployment, { check, from, rooms: [...this.rooms.keys()] });
  }

  /** A figure for the report. */
  measured(measurement: Measurement): void {
    this.measurements.push(measurement);
  }

  /**
   * Runs a probe until it does not throw CheckFailure, and returns its value. At the deadline the last CheckFailure is
   * thrown, with the deadline in it.
   */
  async eventually<T>(
    probe: () => Promise<T> | T,
    options: { deadlineMs?: number } = {},
  ): Promise<T> {
    const deadlineMs = (options.deadlineMs ?? EVENTUALLY_MS) * this.#options.timeoutScale;
    const from = awakeMs();
    for (;;) {
      try {
        return await probe();
      } catch (error) {
        if (!(error instanceof CheckFailure)) throw error;
        if (awakeMs() - from >= deadlineMs) {
          throw new CheckFailure(
            `${error.expected} within ${deadlineMs} ms`,
            error.actual,
            error.exchange,
          );
        }
      }
      const pause = pauseMs(awakeMs() - from, POLL_MS, POLL_PART);
      await sleep(pause, undefined, { signal: this.signal });
    }
  }

  /**
   * Time that has to pass for an absence to mean something ("does not arrive"), scaled; not for waiting until something
   * is there.
   */
  async quietPeriod(ms: number): Promise<void> {
    await sleep(ms * this.#options.timeoutScale, undefined, { signal: this.signal });
  }

  /** Puts a rule in force at the gateway until the check ends or the handle is disposed. */
  async rule(rule: Rule): Promise<RuleHandle> {
    const { control, deployment } = this.#options;
    const { from, to } = rule.match;
    if (isBehindClients(deployment, from, to) && !this.has("auth:wired"))
      throw new Unsupported("auth:wired", "the server asks its auth service past the gateway");
    const match = {
      ...rule.match,
      ...(from === undefined ? {} : { from: placeOf(deployment, from) }),
      ...(to === undefined ? {} : { to: placeOf(deployment, to) }),
    };
    const id = await control.addRule(deployment.id, { ...rule, match });
    const ended = this.#call.fault(rule.name);
    let firedAtEnd: number | undefined;
    const remove = async () => {
      ended();
      firedAtEnd ??= await control.removeRule(deployment.id, id);
      return firedAtEnd;
    };
    this.#cleanups.push(remove);
    return {
      fired: () => control.ruleFired(deployment.id, id),
      release: () => control.releaseRule(deployment.id, id),
      end: async () => {
        const fired = await remove();
        if (fired === 0) {
          throw new HarnessError("RULE_NEVER_FIRED", {
            what: `the rule "${rule.name}" never fired`,
            facts: [JSON.stringify(rule.match)],
            next: "its match fits no exchange of this check",
          });
        }
        return fired;
      },
      [Symbol.asyncDispose]: async () => {
        await remove();
      },
    };
  }

  /** A fault on a link, by its parts. */
  fault(
    match: RuleMatch,
    phase: Rule["phase"],
    action: RuleAction,
    times?: number,
  ): Promise<RuleHandle> {
    const name = `${action.kind} ${match.from ?? "any"} to ${match.to ?? "any"} (${phase})`;
    return this.rule({ name, match, phase, action, ...(times === undefined ? {} : { times }) });
  }

  /**
   * Asks a server for an account by its own means, past whoever else has its accounts; tells whether it made one.
   *
   * @param adminToken of an administrator of that server
   */
  async makeAccount(localpart: string, adminToken: string, role = "hs1"): Promise<boolean> {
    this.needs("server:makesAccounts");
    const { control, deployment } = this.#options;
    const place = placeOf(deployment, role);
    return await control.makeAccount(deployment.id, place, localpart, adminToken);
  }

  /** What an administrator of a server can do by its own means. @param adminToken of the administrator */
  administration(adminToken: string, role = "hs1"): WorldAdministration {
    return administrationOf(this.#options.control, this, adminToken, this.server(role));
  }

  async actOnServer(role: string, action: ServerAction): Promise<void> {
    const done = this.#call.fault(action, role);
    await this.#options.control.actOnServer(
      this.deployment.id,
      placeOf(this.deployment, role),
      action,
    );
    done();
  }

  /**
   * Starts a server again with a setting, for isolated checks: undefined when it answers, otherwise how it ended instead.
   *
   * @throws Unsupported when the server has no such setting
   */
  async restartWith(setting: Setting, role = "hs1"): Promise<string | undefined> {
    this.needs(`setting:${setting}`);
    const { control, deployment } = this.#options;
    const done = this.#call.fault(`restart with ${setting}`, role);
    const ended = await control.restartWith(deployment.id, placeOf(deployment, role), setting);
    done();
    return ended ?? undefined;
  }

  /** Kills a server without warning, and starts it again with what it has kept. */
  async killAndRestart(role = "hs1"): Promise<void> {
    await this.actOnServer(role, "kill");
    await this.actOnServer(role, "restart");
  }

  /**
   * Kills the RTC authorization service of a server, and starts it without the list of servers that it is for: how that ended,
   * `serves` when it did not. For isolated checks: nothing runs in its place afterwards.
   *
   * @throws Unsupported when its driver can not start it so
   */
  async startRtcBare(role = "hs1"): Promise<string> {
    const { place, capabilities } = this.rtc(role);
    if (!capabilities.includes("startsBare"))
      throw new Unsupported(
        "rtc-auth:startsBare",
        "it has no such list, or is not a process of ours",
      );
    const { control, deployment } = this.#options;
    return await control.startRtcBare(deployment.id, place);
  }

  /**
   * The last lines of a server's log, oldest first.
   *
   * @throws Unsupported when its driver has none
   */
  async log(lines: number, role = "hs1"): Promise<readonly string[]> {
    this.needs("server:hasLogs");
    const { control, deployment } = this.#options;
    return await control.serverLog(deployment.id, placeOf(deployment, role), lines);
  }

  /** CPU time of a server so far, milliseconds; undefined: its driver can not tell. */
  async cpuMs(role = "hs1"): Promise<number | undefined> {
    const { control, deployment } = this.#options;
    return (await control.cpuMs(deployment.id, placeOf(deployment, role))) ?? undefined;
  }

  /**
   * Receives what the servers push to the run's application service while the check runs. The listener is shared by all
   * checks of a deployment, so look only at rooms and users of your own.
   */
  async appservice(
    handler: (request: IncomingMessage, body: unknown, response: ServerResponse) => void,
  ): Promise<void> {
    const { control, deployment } = this.#options;
    const server = createServer({ keepAliveTimeout: IDLE_MS }, async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      handler(request, JSON.parse(Buffer.concat(chunks).toString() || "{}"), response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await control.setAppservice(deployment.id, (server.address() as AddressInfo).port);
    this.#cleanups.push(async () => {
      await control.setAppservice(deployment.id, null);
      server.closeAllConnections();
      server.close();
    });
  }

  /**
   * A federation server of the check's own, see docs/peer.md. Its name begins with the prefix, so that rules and mutants
   * find its links by `peer-*`.
   *
   * @throws Unsupported when the servers can not reach one.
   */
  async peer({ prefix = "peer", kind = "host" }: PeerOptions = {}): Promise<Peer> {
    this.needs("fedpeer");
    if (kind !== "host") this.needs("fedproxy");
    const { control, deployment, check, random } = this.#options;
    const peer = await Peer.start({
      ...this.#context,
      name: kind === "address" ? benchmarkAddress(random) : this.name(prefix),
      delegate: kind === "delegated" ? { name: this.name(prefix), port: DELEGATE_PORT } : undefined,
      homeserver: this.server().serverName,
      link: (name, port) => control.addPeer(deployment.id, name, port, check),
      unlink: (name) => control.removePeer(deployment.id, name),
    });
    this.#peers.push(peer);
    this.#cleanups.push(() => peer[Symbol.asyncDispose]());
    return peer;
  }

  /**
   * The end of a check that found nothing wrong.
   *
   * @throws CheckFailure, HarnessError UNEXPECTED_REQUEST: what servers did to its peers that it did not foresee
   */
  verify(): void {
    for (const peer of this.#peers) peer.verify();
  }

  /** The end of a check that failed: what its peers were asked in vain may be the reason. */
  noteUnexpected(): void {
    for (const peer of this.#peers) {
      for (const line of peer.unexpected) this.note(`${peer.serverName}: ${line}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#cleanups.map((cleanup) => cleanup()));
  }
}

/** An address that no machine has (RFC 2544). */
function benchmarkAddress(random: Random): string {
  return `198.${18 + random.integer(2)}.${random.integer(256)}.${1 + random.integer(254)}`;
}
