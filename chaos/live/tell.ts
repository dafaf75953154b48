/** Tells a plan to real servers: one step after the other, with everything that can be seen in a journal. */
import type { Moment } from "#chaos/journal/record";
import { HarnessError } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import { path } from "#harness/http/client";
import { isObject } from "#harness/match/json";
import { isAuthRole, type Operation, type ServerStep, type Step } from "#scenarios/plan";
import { namesFor, type Surroundings, stepsOf } from "./by-hand.ts";
import { Cast } from "./cast.ts";
import { agree, type ConvergeContext } from "./converge.ts";
import { delivered } from "./delivery.ts";
import { Encryption } from "./encryption.ts";
import { Eyes } from "./eyes.ts";
import { writeCast, writeHead } from "./journal-head.ts";
import { Nudger } from "./nudge.ts";
import { observe } from "./observe.ts";
import { factsOf, type Performed, perform } from "./perform.ts";
import { provoke } from "./provoke.ts";
import { makeRooms } from "./rooms.ts";
import { sampleAll, tellStates } from "./sampling.ts";
import { SignIns } from "./sign-ins.ts";
import { SlidingClient } from "./sliding-client.ts";
import { SyncClient } from "./sync-client.ts";
import type { Epoch, Recovery, Status, Telling, Told } from "./telling.ts";
import { Traffic } from "./traffic.ts";
import { Trouble } from "./trouble.ts";
import { words } from "./words.ts";

const OPERATION_MS = 15_000;
/** From a server that stands still no answer is to be expected. */
const HOPELESS_MS = 1_500;

export async function tell(telling: Telling): Promise<Told> {
  const cast = await Cast.make(telling.plan, telling.deployment, telling);
  await using teller = new Teller(telling, cast);
  return await teller.run();
}

class Teller implements AsyncDisposable {
  readonly #telling: Telling;
  readonly #cast: Cast;
  readonly #traffic: Traffic;
  readonly #trouble: Trouble;
  readonly #eyes: Eyes;
  readonly #unwatch: () => void;
  /** Exchanges before the journal has begun, which can not be before its rooms are known. */
  #early: Exchange[] | undefined = [];
  #syncs: readonly SyncClient[] = [];
  #slidings: readonly SlidingClient[] = [];
  #encryption: Encryption | undefined;
  #signIns: SignIns | undefined;
  #step = 0;
  readonly #nudger: Nudger;
  readonly #found = new Set<string>();
  readonly #epochs: Epoch[] = [];
  readonly #surroundings: Surroundings;

  constructor(telling: Telling, cast: Cast) {
    const { deployment, journal } = telling;
    this.#telling = telling;
    this.#cast = cast;
    this.#traffic = new Traffic(cast, journal);
    this.#trouble = new Trouble(deployment, cast, journal);
    this.#eyes = new Eyes(cast, this.#traffic, () => this.#syncs);
    this.#nudger = new Nudger({ cast, journal, nextStep: () => ++this.#step });
    this.#surroundings = {
      plan: telling.plan,
      trouble: this.#trouble,
      sample: () => sampleAll(this.#context()),
      nextName: namesFor(telling.plan),
    };
    this.#unwatch = deployment.watch((exchange) => {
      if (this.#early === undefined) this.#traffic.take(exchange);
      else this.#early.push(exchange);
    });
  }

  async run(): Promise<Told> {
    const { plan, progress, roomVersion, signal } = this.#telling;
    this.#telling.onBegun?.(() => this.#status());
    const { deployment, journal, encryption } = this.#telling;
    this.#signIns = await SignIns.start({ cast: this.#cast, deployment, journal, signal });
    this.#encryption = await Encryption.start({ cast: this.#cast, journal, ...encryption });
    progress(`making ${Object.keys(plan.rooms).length} rooms`);
    await makeRooms(this.#cast, roomVersion);
    this.#begin();
    this.#encryption?.listen();
    tellStates(this.#context(), await sampleAll(this.#context()), "watch");
    for (const [at, step] of plan.steps.entries()) {
      signal.throwIfAborted();
      if (await this.#lendHands(at)) break;
      progress(`step ${at + 1} of ${plan.steps.length}: ${words(step)}`);
      const next = plan.steps[at + 1];
      // A convergence ends all faults by itself, when everything is ready for it.
      const isIdle = "heal" in step && next !== undefined && "converge" in next;
      if (!isIdle) await this.#do(step);
      if ("converge" in step && this.#isOver()) break;
    }
    await this.#trouble.endAll();
    return {
      epochs: this.#epochs,
      faults: this.#trouble.reports,
      skipped: this.#trouble.skipped,
    };
  }

  #isOver(): boolean {
    const last = this.#epochs.at(-1);
    return last !== undefined && this.#telling.isOver?.(last) === true;
  }

  /** Does what people have asked for meanwhile. True when the story is over with that. */
  async #lendHands(before: number): Promise<boolean> {
    const { hands, journal, progress } = this.#telling;
    for (let asked = hands?.take(); asked !== undefined; asked = hands?.take()) {
      const { command, done, refused } = asked;
      try {
        const steps = await stepsOf(command, this.#surroundings);
        journal.write({ t: "by-hand", before, steps });
        for (const step of steps) {
          progress(`by hand: ${words(step)}`);
          await this.#do(step, "person");
        }
        const last = command.do === "check" ? this.#epochs.at(-1) : undefined;
        done(last === undefined ? steps.map(words).join("; ") : outcomeOf(last));
      } catch (error) {
        refused(error);
        if (error instanceof HarnessError && error.code === "BAD_USAGE") continue;
        throw error;
      }
      if (command.do === "check" && this.#isOver()) return true;
    }
    return false;
  }

  /** Servers are left as they were found: those that share them know of no trouble. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch();
    await this.#trouble.heal("all");
    await this.#encryption?.[Symbol.asyncDispose]();
    await Promise.all(
      [...this.#syncs, ...this.#slidings].map((client) => client[Symbol.asyncDispose]()),
    );
    if (!this.#telling.signal.aborted) await this.#trouble.endAll();
  }

  #status(): Status {
    const conditions = Object.keys(this.#cast.servers).map(
      (role) => [role, this.#trouble.condition(role)] as const,
    );
    return {
      epoch: this.#epochs.length + 1,
      inForce: this.#trouble.faultsInForce,
      conditions: new Map(conditions),
      faults: [
        ...this.#trouble.faultsInForce.map(words),
        ...conditions.flatMap(([role, now]) => (now === "running" ? [] : [`${role} ${now}`])),
      ],
      lags: this.#traffic.lags(),
    };
  }

  #begin(): void {
    const { journal, deployment } = this.#telling;
    writeHead(this.#telling, this.#cast);
    for (const exchange of this.#early ?? []) this.#traffic.take(exchange);
    this.#early = undefined;
    const actors = [...this.#cast.actors.values()];
    const onNews = () => this.#traffic.stir();
    this.#syncs = actors.map((actor) => new SyncClient(actor, this.#cast, journal, onNews));
    if (deployment.features.has("sliding-sync:unstable"))
      this.#slidings = actors.map((actor) => new SlidingClient(actor));
  }

  async #do(step: Step, who: "plan" | "person" = "plan"): Promise<void> {
    if ("op" in step) await this.#operate(step);
    else if ("together" in step) await Promise.all(step.together.map((one) => this.#operate(one)));
    else if ("fault" in step) await this.#trouble.start(step);
    else if ("heal" in step) await this.#trouble.heal(step.heal);
    else if ("server" in step) await this.#act(step, who);
    else if ("await" in step) await this.#delivered(step);
    else await this.#converge(step.converge);
  }

  async #operate(operation: Operation): Promise<void> {
    const { role, session } = this.#cast.actor(operation.by);
    const isHopeless = ["paused", "down"].includes(this.#trouble.condition(role));
    const lookups = {
      levels: async (room: string) => {
        const target = path`/_matrix/client/v3/rooms/${room}/state/m.room.power_levels/`;
        const { status, json } = await session.get(target);
        if (status === 404) return {};
        return status === 200 && isObject(json) ? json : undefined;
      },
      newest: (room: string) =>
        this.#syncs.find(({ actor }) => actor.name === operation.by)?.newest(room),
      deviceOf: (user: string) => this.#cast.actor(user).session.deviceId,
    };
    const timeoutMs = isHopeless ? HOPELESS_MS : OPERATION_MS;
    const performed =
      (await this.#signIns?.perform(operation)) ??
      (await this.#encryption?.perform(operation, isHopeless)) ??
      (await perform(operation, this.#cast, lookups, timeoutMs));
    this.#cast.events.set(operation.id, performed.events);
    if (performed.newRoom !== undefined && operation.op === "upgrade") {
      const { into, version } = operation;
      this.#cast.rooms.set(into, { id: performed.newRoom, version });
      writeCast(this.#telling.journal, this.#cast);
    }
    this.#tellOperation(operation, performed);
  }

  #tellOperation(operation: Operation, performed: Performed): void {
    const { outcome, message, events } = performed;
    this.#telling.journal.write({
      t: "step",
      id: ++this.#step,
      name: words(operation),
      ok: outcome === "unknown" ? null : outcome === "ok",
      ...(message === undefined ? {} : { message }),
      ...(events.length === 0 ? {} : { events }),
      ...factsOf(operation, performed, this.#cast),
    });
  }

  async #act(step: ServerStep, who: "plan" | "person"): Promise<void> {
    const { server: role, action } = step;
    const condition = this.#trouble.condition(role);
    if (isAuthRole(role)) return await this.#trouble.act(step, who);
    const ends = action === "kill" || action === "stop" || action === "restart";
    if (ends && condition === "running") await this.#tellStatesOf(role, "before-restart");
    await this.#trouble.act(step, who);
    const isBack = action === "restart" || (action === "start" && condition === "down");
    if (isBack) await this.#tellStatesOf(role, "after-restart");
  }

  async #tellStatesOf(role: string, moment: Moment): Promise<void> {
    const context = { ...this.#context(), roles: [role] };
    tellStates(context, await sampleAll(context), moment);
  }

  #context(): Omit<ConvergeContext, "nudge"> {
    return {
      cast: this.#cast,
      eyes: this.#eyes,
      traffic: this.#traffic,
      journal: this.#telling.journal,
      roles: Object.keys(this.#cast.servers).slice(0, this.#telling.plan.servers),
      signal: this.#telling.signal,
      unanswered: () => {
        const roles = Object.keys(this.#cast.servers);
        const { unanswered } = this.#telling.deployment.gateway;
        return unanswered.filter(({ from, to }) => roles.includes(from) && roles.includes(to));
      },
    };
  }

  async #delivered({ of, servers }: Extract<Step, { await: "delivered" }>): Promise<void> {
    const { plan } = this.#telling;
    const { roles, ...context } = this.#context();
    await delivered(
      { ...context, plan, roles, trouble: this.#trouble, syncs: this.#syncs },
      of,
      servers,
    );
  }

  async #converge(mode: "nudged" | "silent"): Promise<void> {
    const { journal, progress, judge } = this.#telling;
    const epoch = this.#epochs.length + 1;
    const context = this.#context();
    // All servers run, and what is cut off still is: the nudges come as soon as it ends.
    await this.#trouble.wakeAll();
    await provoke(this.#trouble, this.#cast);
    const before = await sampleAll(context);
    tellStates(context, before, "before-nudge");
    await this.#trouble.heal("all");
    const healed = Date.now();
    progress(`epoch ${epoch}: waiting for the servers to agree`);
    let since = healed;
    const nudge: ConvergeContext["nudge"] = async (room, roles) => {
      const wanted = await this.#nudger.nudge(epoch, room, before.get(room) ?? [], roles);
      since = Date.now();
      return wanted;
    };
    const first =
      mode === "nudged" ? [...before.keys()].map((room) => nudge(room, context.roles)) : [];
    const nudges = (await Promise.all(first)).flat();
    const agreement = await agree({ ...context, nudge }, nudges, mode, healed, before);
    const { agreedAt, limitMs, detectionMs, missing, samples } = agreement;
    tellStates(context, samples, "quiescent");
    journal.write({
      t: "recovery",
      epoch,
      mode,
      ms: agreedAt === null ? null : agreedAt - since,
      limit_ms: limitMs,
      ...(agreedAt === null ? {} : { from_heal_ms: agreedAt - healed }),
      ...(detectionMs === undefined ? {} : { detection_ms: detectionMs }),
      missing,
    });
    await observe(
      {
        epoch,
        cast: this.#cast,
        eyes: this.#eyes,
        journal,
        syncs: this.#syncs,
        slidings: this.#slidings,
        found: this.#found,
      },
      samples,
    );
    await this.#encryption?.observe(epoch, this.#syncs);
    await this.#signIns?.observe(epoch);
    const verdicts = judge(journal.records, epoch);
    for (const verdict of verdicts) journal.write({ t: "verdict", epoch, ...verdict });
    const recovery: Recovery = {
      mode,
      fromHealMs: agreedAt === null ? null : agreedAt - healed,
      ...(detectionMs === undefined ? {} : { detectionMs }),
    };
    this.#epochs.push({ number: epoch, verdicts, recovery });
  }
}

function outcomeOf({ recovery: { fromHealMs }, verdicts }: Epoch): string {
  const failed = verdicts.flatMap(({ outcome, checker }) => (outcome === "fail" ? [checker] : []));
  return [
    fromHealMs === null ? "servers did not agree" : `servers agreed after ${fromHealMs} ms`,
    failed.length === 0 ? "no checker failed" : `failed: ${failed.join(", ")}`,
  ].join("; ");
}
