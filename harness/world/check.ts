/** `check`: a test that decides one requirement. The only file, with its neighbours, that knows Vitest. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { inject, test } from "vitest";
import type { Feature } from "#harness/deployment/contract";
import { CheckFailure, describe, HarnessError, Unsupported } from "#harness/errors";
import type { Rule, RuleMatch } from "#harness/gateway/rule";
import { scrub } from "#harness/gateway/scrub";
import { createClient } from "#harness/http/client";
import { createRandom } from "#harness/random";
import type { RequirementId } from "#harness/requirements/ids.generated";
import { CALL_TIMEOUT_MS, type Control, controlClient, ROOM_TIMEOUT_MS } from "./control.ts";
import { deal } from "./deal.ts";
import { missingText } from "./hints.ts";
import { extraMs, type Kind, whyNotAsked } from "./on-request.ts";
import { MAX_ROOMS, viewsOf } from "./room-views.ts";
import {
  type CheckReport,
  type DeploymentInfo,
  type MutantReport,
  type RunInfo,
  servicesOf,
} from "./run-info.ts";
import { serviceOutage } from "./service-outage.ts";
import { World } from "./world.ts";

/**
 * A deliberate violation of the requirement at the gateway, on the exchanges of this check's clients and peers only (and,
 * for rules whose `from` is a server, on that link; `peer-*` stands for a peer). With it on, the check has to fail.
 */
export interface Mutant {
  /** The violation as a sentence about the server: "answers 200 to a wrong password". */
  readonly name: string;
  readonly rules: readonly Omit<Rule, "name">[];
}

export interface CheckOptions {
  /** At least one proves that the check can fail. */
  readonly mutant?: Mutant | readonly Mutant[];
  /** Own fresh servers, with these features switched on: what the requirement needs of the deployment (`startIsolated`). */
  readonly isolated?: { readonly features?: readonly Feature[] };
  /** Bound for the whole check; 60 s unless given. */
  readonly deadlineMs?: number;
  /** Not beside others of its file: each of them keeps so many processes busy that they would only wait for each other. */
  readonly isAlone?: boolean;
  /** It runs only when its kind is asked for, and gets more time then. */
  readonly kind?: Kind;
}

export type CheckBody = (world: World) => Promise<void>;

const DEADLINE_MS = 60_000;
/** Vitest's own bound lies behind ours, which says more; servers of a check's own are waited for within it. */
const VITEST_GRACE_MS = ROOM_TIMEOUT_MS + CALL_TIMEOUT_MS + 20_000;
const LOG_LINES = 15;

/** A server that was restarted after its death answers again within this time. */
const RECOVERY_MS = 30_000;
const RECOVERY_POLL_MS = 100;

/** Once a request got no answer, later checks first make sure that there is a server at all. */
let isServerInDoubt = false;
/** They wait for it together and only once: a server that stays away must not cost each of them this time. */
let recovery: Promise<void> | undefined;
let isServerLost = false;

export function check(id: RequirementId, title: string, body: CheckBody): void;
export function check(
  id: RequirementId,
  title: string,
  options: CheckOptions,
  body: CheckBody,
): void;
export function check(
  id: RequirementId,
  title: string,
  optionsOrBody: CheckOptions | CheckBody,
  maybeBody?: CheckBody,
): void {
  const run = inject("crucible");
  const needs = run.selected[id];
  if (needs === undefined) return;
  const options = typeof optionsOrBody === "function" ? {} : optionsOrBody;
  const body = typeof optionsOrBody === "function" ? optionsOrBody : maybeBody;
  if (body === undefined) throw new TypeError(`check ${id} has no body`);
  for (let repetition = 1; repetition <= run.repeat; repetition++) {
    const name = run.repeat === 1 ? `${id} ${title}` : `${id} ${title} (${repetition})`;
    const tries = run.mode === "mutants" ? mutantsOf(options).length : 1 + run.retry;
    const tryMs =
      VITEST_GRACE_MS +
      (options.deadlineMs ?? DEADLINE_MS) * run.timeoutScale +
      extraMs(options.kind, run);
    const timeout = tryMs * Math.max(1, tries);
    const declare = options.isAlone ? test : test.concurrent;
    declare(name, { timeout }, async ({ task }) => {
      const checker = new Checker(run, id, title, repetition, options, body);
      task.meta.crucible = await checker.report(needs);
    });
  }
}

type Verdict = Pick<CheckReport, "outcome"> & Partial<CheckReport>;

/** Runs one check and judges what came of it. Public for its spec: suites call `check`. */
export class Checker {
  readonly #run: RunInfo;
  readonly #id: string;
  readonly #title: string;
  readonly #repetition: number;
  readonly #options: CheckOptions;
  readonly #body: CheckBody;
  readonly #control: Control;
  #tries = 0;

  constructor(
    run: RunInfo,
    id: string,
    title: string,
    repetition: number,
    options: CheckOptions,
    body: CheckBody,
  ) {
    this.#run = run;
    this.#id = id;
    this.#title = title;
    this.#repetition = repetition;
    this.#options = options;
    this.#body = body;
    this.#control = controlClient(run.control);
  }

  async report(needs: readonly string[]): Promise<CheckReport> {
    const [startedAt, started] = [Date.now(), performance.now()];
    const verdict = await this.#judge(needs);
    return {
      requirement: this.#id,
      title: this.#title,
      repetition: this.#repetition,
      startedAt,
      durationMs: Math.round(performance.now() - started),
      exchanges: [],
      notes: [],
      ...verdict,
    };
  }

  async #judge(needs: readonly string[]): Promise<Verdict> {
    const reason = whyNotAsked(this.#options.kind, this.#run) ?? this.#run.disabled[this.#id];
    if (reason !== undefined) return { outcome: "skip", reason: `disabled: ${reason}` };
    const missing = needs.filter((need) => !this.#run.deployment.features.includes(need));
    if (missing.length > 0)
      return { outcome: "skip", reason: `unsupported: ${missingText(missing)}` };
    if (this.#run.mode === "mutants") return this.#huntMutants();
    let verdict = await this.#try([]);
    const first = verdict;
    for (let retry = 0; retry < this.#run.retry; retry++) {
      if (verdict.outcome === "pass" || verdict.outcome === "skip") break;
      verdict = await this.#try([]);
    }
    if (verdict !== first && verdict.outcome === "pass") {
      return {
        ...first,
        outcome: "flaky",
        reason: `passed on try ${this.#tries}; before: ${first.reason ?? "?"}`,
      };
    }
    return verdict;
  }

  async #huntMutants(): Promise<Verdict> {
    const reports: MutantReport[] = [];
    for (const mutant of mutantsOf(this.#options)) {
      const verdict = await this.#try(mutant.rules.map((rule) => ({ ...rule, name: mutant.name })));
      if (verdict.outcome === "skip") return verdict;
      reports.push(mutantReport(mutant, verdict));
    }
    const open = reports.filter(({ verdict }) => verdict !== "killed" && verdict !== "moot");
    const told = open.find(({ verdict }) => verdict !== "error") ?? open[0];
    if (told === undefined) return { outcome: "pass", mutants: reports };
    const reason = `${told.verdict}: ${told.name} (${told.detail})`;
    // A check that could not be carried out has let nothing live.
    const outcome = told.verdict === "error" ? "error" : "fail";
    return { outcome, reason, mutants: reports };
  }

  async #try(mutation: readonly Rule[]): Promise<Verdict & { fired?: number }> {
    this.#tries++;
    try {
      if (isServerInDoubt) await this.#confirmServers();
    } catch (error) {
      return await this.#verdictOf(error, undefined);
    }
    const deadline = new AbortController();
    const deadlineMs =
      (this.#options.deadlineMs ?? DEADLINE_MS) * this.#run.timeoutScale +
      extraMs(this.#options.kind, this.#run);
    let timer: NodeJS.Timeout | undefined;
    let isolated: DeploymentInfo | undefined;
    let world: World | undefined;
    let verdict: Verdict & { fired?: number };
    const from = Date.now();
    try {
      if (this.#options.isolated !== undefined || this.#run.isolate) {
        // Under --isolate each has what it would have shared: some ask for a second server in their bodies.
        const needs =
          this.#options.isolated === undefined ? null : (this.#run.selected[this.#id] ?? null);
        await this.#control.roomForIsolated(needs);
        isolated = await this.#control.startIsolated(this.#options.isolated?.features ?? [], needs);
      }
      // Servers of its own have their time to start.
      timer = setTimeout(() => {
        const next =
          "a server that is slow or hangs, or a deadline that is too short: see the trace, or raise --timeout-scale";
        deadline.abort(
          new HarnessError("DEADLINE", {
            what: `the check took longer than ${deadlineMs} ms`,
            next,
          }),
        );
      }, deadlineMs);
      const label = `${this.#id}/${this.#title}/${this.#repetition}/${this.#tries}/${mutation[0]?.name ?? ""}`;
      // A name of its own for each try, since rules and traces are told apart by it.
      const key = `${this.#id}.${createHash("sha256").update(label).digest("hex").slice(0, 8)}`;
      world = new World({
        requirement: this.#id,
        check: key,
        deployment: deal(isolated ?? this.#run.deployment, `${this.#id}/${this.#title}`),
        control: this.#control,
        random: createRandom(this.#run.seed).fork(label),
        signal: deadline.signal,
        timeoutScale: this.#run.timeoutScale,
        propertySeconds: this.#run.propertySeconds,
        accountSizes: this.#run.accountSizes,
        ...(this.#run.clientLogs === undefined ? {} : { clientLogs: this.#run.clientLogs }),
      });
      const handles = [];
      for (const rule of mutation) {
        handles.push(
          await world.rule(
            isBetweenServers(rule.match) ? rule : { ...rule, match: { ...rule.match, check: key } },
          ),
        );
      }
      verdict = await this.#runBody(world, deadline.signal);
      const outage =
        verdict.outcome === "fail" && (await serviceOutage(this.#control, world.deployment, from));
      if (outage) verdict = await this.#verdictOf(outage, world);
      if (handles.length > 0) {
        const fired = await Promise.all(handles.map((handle) => handle.fired()));
        verdict = { ...verdict, fired: Math.max(...fired) };
      }
    } catch (error) {
      verdict = await this.#verdictOf(error, world);
    }
    clearTimeout(timer);
    if (world !== undefined) {
      await world[Symbol.asyncDispose]();
      const call = world.callRecord(from);
      verdict = { ...verdict, call, ...(await this.#record(world, verdict, from)) };
    }
    if (isolated !== undefined)
      await this.#control.stopIsolated(isolated.id).catch(() => undefined);
    const { violations = [], measurements = [], undecryptable = [] } = world ?? {};
    return {
      ...verdict,
      ...(violations.length === 0 ? {} : { violations }),
      ...(measurements.length === 0 ? {} : { measurements }),
      ...(undecryptable.length === 0 ? {} : { undecryptable }),
    };
  }

  /** Keeps the check's rooms, when they are wanted. */
  async #record(
    world: World,
    { outcome, message }: Verdict,
    from: number,
  ): Promise<Pick<CheckReport, "replay">> {
    const { record } = this.#run;
    const hasFailed = outcome === "fail" || outcome === "error";
    if (record === "none" || outcome === "skip" || (record === "failures" && !hasFailed)) return {};
    const known = [...world.rooms].slice(0, MAX_ROOMS);
    if (known.length === 0) return {};
    const to = Date.now();
    const rooms = await Promise.all(
      known.map(async ([roomId, clients]) => ({ roomId, views: await viewsOf(roomId, clients) })),
    );
    const evidence = {
      deployment: world.deployment.id,
      requirement: this.#id,
      title: this.#title,
      isPassed: !hasFailed,
      ...(message === undefined ? {} : { message }),
      from,
      to,
      rooms,
    };
    // A replay is an extra; the verdict has been given.
    const name = await this.#control.recordCheck(evidence).catch(() => null);
    return name === null ? {} : { replay: name };
  }

  async #runBody(world: World, signal: AbortSignal): Promise<Verdict> {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#body(world), expired]);
      world.verify();
      return { outcome: "pass", notes: world.notes, exchanges: world.exchanges };
    } catch (error) {
      if (error instanceof CheckFailure) world.noteUnexpected();
      return await this.#verdictOf(error, world);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #verdictOf(error: unknown, world: World | undefined): Promise<Verdict> {
    const seen = { notes: world?.notes ?? [], exchanges: world?.exchanges ?? [] };
    const clean = (text: string) => (world === undefined ? scrub(text) : world.scrub(text));
    if (error instanceof Unsupported)
      return { outcome: "skip", reason: clean(`unsupported: ${error.message}`), ...seen };
    const stack = stackOf(error);
    if (error instanceof CheckFailure) {
      const exchange = error.exchange ?? world?.lastExchange?.describe();
      return {
        outcome: "fail",
        reason: clean(error.message),
        expected: clean(error.expected),
        actual: clean(error.actual),
        message: clean(error.message),
        ...(exchange === undefined ? {} : { exchange: clean(exchange) }),
        ...(stack === undefined ? {} : { stack }),
        ...seen,
      };
    }
    if (error instanceof HarnessError && ["HS_NO_ANSWER", "DEADLINE"].includes(error.code))
      isServerInDoubt = true;
    const exchange = world?.lastExchange?.describe();
    const logs = await this.#logs(world?.deployment);
    const reason =
      error instanceof HarnessError ? error.what : `the check itself broke: ${describe(error)}`;
    return {
      outcome: "error",
      reason: clean(reason),
      message: clean(describe(error)),
      logs: logs.map(clean),
      ...(exchange === undefined ? {} : { exchange: clean(exchange) }),
      ...(stack === undefined ? {} : { stack }),
      ...seen,
    };
  }

  async #confirmServers(): Promise<void> {
    const patienceMs = isServerLost ? 0 : RECOVERY_MS * this.#run.timeoutScale;
    recovery ??= this.#untilServersAnswer(Date.now() + patienceMs);
    try {
      await recovery;
      isServerInDoubt = false;
      isServerLost = false;
    } catch (error) {
      isServerLost = true;
      throw error;
    } finally {
      recovery = undefined;
    }
  }

  async #untilServersAnswer(deadline: number): Promise<void> {
    for (const { clientUrl } of this.#run.deployment.servers) {
      const timeoutMs = 5_000 * this.#run.timeoutScale;
      const client = createClient({ baseUrl: clientUrl, timeoutMs });
      for (;;) {
        try {
          await client.request("GET", "/_matrix/client/versions");
          break;
        } catch (error) {
          if (Date.now() >= deadline) throw error;
        }
        await sleep(RECOVERY_POLL_MS);
      }
    }
  }

  async #logs(deployment: DeploymentInfo = this.#run.deployment): Promise<string[]> {
    const tails = await Promise.all(
      placesOf(deployment).map(async (place) => {
        const tail = await this.#control.serverLog(deployment.id, place, LOG_LINES).catch(() => []);
        return tail.map((line) => `${place}: ${line}`);
      }),
    );
    return tails.flat();
  }
}

/** Servers, and the services beside them. */
function placesOf({ servers }: DeploymentInfo): readonly string[] {
  return servers.flatMap((server) => [server, ...servicesOf(server)]).map(({ place }) => place);
}

function mutantsOf({ mutant = [] }: CheckOptions): readonly Mutant[] {
  return "name" in mutant ? [mutant] : mutant;
}

function mutantReport({ name }: Mutant, verdict: Verdict & { fired?: number }): MutantReport {
  const detail = verdict.reason ?? verdict.outcome;
  const isFired = verdict.fired !== 0;
  if (verdict.outcome === "fail") return { name, verdict: isFired ? "killed" : "moot", detail };
  if (verdict.outcome === "pass")
    return { name, verdict: isFired ? "survived" : "not-fired", detail };
  return { name, verdict: "error", detail };
}

/** Such a link is not one check's own; that of a peer is, whose name only the check knows. */
function isBetweenServers({ from, to }: RuleMatch): boolean {
  const isPeer = (name: string | undefined) => name?.endsWith("*") === true;
  return from !== undefined && from !== "client" && !isPeer(from) && !isPeer(to);
}

/** Frames of the check, without those of the harness and of Vitest. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && line.includes("/suites/"));
  return frames.length === 0 ? undefined : frames.join("\n");
}
