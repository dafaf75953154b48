/**
 * The requests of matrix-js-sdk, as its application sees them go by: what they say is in the client's log, and what failed is
 * told to whoever steps the client. The library itself tries again in silence, two seconds later and then less and less often.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fetch } from "undici";
import { awakeMs } from "#harness/awake";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import { at, eventsAt, isObject, type JsonObject } from "#harness/match/json";
import type { ClientFault } from "../crypto-client.ts";
import { digest } from "../parcel.ts";
import type { ClientSetup } from "../setup.ts";
import { SyncGate } from "./sync-gate.ts";

const TICK_MS = 10;
/** Ticks without a request under way, after which none follows. */
const QUIET_TICKS = 5;
/** Tries in a row after which the library gives up until its next sync (http-api/utils, calculateRetryBackoff). */
const MOST_TRIES = 5;
/** For the answer to a sync, beside its long-poll. */
const SYNC_MS = 30_000;
/** Longer than its longest pause, which is of 16 seconds. */
const RETRY_MS = 20_000;

/** Its requests about keys, as a client's log calls them. */
const REQUESTS: readonly (readonly [RegExp, string])[] = [
  [/\/keys\/upload$/, "KeysUpload"],
  [/\/keys\/query$/, "KeysQuery"],
  [/\/keys\/claim$/, "KeysClaim"],
  [/\/keys\/signatures\/upload$/, "SignatureUpload"],
  [/\/sendToDevice\//, "ToDevice"],
];

/** Of a request that has not succeeded since. */
interface Failure {
  readonly error: Error;
  readonly tries: number;
  readonly isFinal: boolean;
  isTold: boolean;
}

export class Traffic {
  /** What the last sync brought. */
  answer: JsonObject = {};
  /** Where in its next sync the process dies. */
  diesAt: ClientFault["diesAt"];
  readonly gate = new SyncGate();
  readonly #setup: ClientSetup;
  readonly #failures = new Map<string, Failure>();
  #underWay = 0;

  constructor(setup: ClientSetup) {
    this.#setup = setup;
  }

  /** In the place of the global fetch. */
  async fetch(input: string | URL, init: object = {}): Promise<Response> {
    const url = new URL(input);
    const isSync = url.pathname.endsWith("/sync");
    let options = init;
    if (isSync) {
      const timeoutMs = await this.gate.enter();
      url.searchParams.set("timeout", String(timeoutMs));
      this.#acknowledged(url);
      // The library's own bound runs while the gate is shut.
      const { timeoutScale } = this.#setup.session.context;
      options = { ...init, signal: AbortSignal.timeout((SYNC_MS + timeoutMs) * timeoutScale) };
    }
    this.#underWay++;
    try {
      // What others are about to see is on disk before.
      await this.#setup.keeping.persist();
      return await this.#exchange(url, options, isSync);
    } finally {
      this.#underWay--;
    }
  }

  /** Its requests follow syncs by themselves: until none has been under way for a while. */
  async quiet(): Promise<void> {
    for (let ticks = 0; ticks < QUIET_TICKS; ) {
      await sleep(TICK_MS);
      ticks = this.#underWay === 0 ? ticks + 1 : 0;
    }
  }

  /** What failed and was told: until the library has tried it again. */
  async retried(): Promise<void> {
    const end = awakeMs() + RETRY_MS;
    const isWaiting = () =>
      [...this.#failures.values()].some(
        ({ isTold, isFinal, tries }) => isTold && !isFinal && tries < MOST_TRIES,
      );
    while (isWaiting() && awakeMs() < end) await sleep(TICK_MS);
  }

  /** Whoever asked has been told of it by the library. */
  markTold(): void {
    for (const failure of this.#failures.values()) failure.isTold = true;
  }

  /** @throws CheckFailure, HarnessError HS_NO_ANSWER when a request has failed since somebody asked last */
  throwTrouble(): void {
    for (const failure of this.#failures.values()) {
      if (failure.isTold) continue;
      failure.isTold = true;
      throw failure.error;
    }
  }

  async #exchange(url: URL, init: object, isSync: boolean): Promise<Response> {
    const { method = "GET", body, headers: given } = init as RequestInit;
    const headers = { ...given, "x-crucible-check": this.#setup.session.context.check };
    const request = REQUESTS.find(([path]) => path.test(url.pathname))?.[1];
    const what = request === undefined ? undefined : { request };
    if (what !== undefined) this.#setup.telling.tell("wants", what);
    let response: Awaited<ReturnType<typeof fetch>>;
    let text: string;
    try {
      response = await fetch(url, { ...init, headers } as Parameters<typeof fetch>[1]);
      text = await response.text();
    } catch (error) {
      const lost = new HarnessError("HS_NO_ANSWER", {
        what: `${method} ${url.pathname}: ${describe(error)}`,
        next: "see the server's log",
        cause: error,
      });
      if (isSync) this.gate.fail(lost);
      if (what !== undefined) {
        this.#setup.telling.tell("did", { ...what, error: describe(error).slice(0, 200) });
        this.#failed(url, lost, false);
      }
      throw error;
    }
    const { status } = response;
    const exchange = response.headers.get("x-crucible-exchange") ?? undefined;
    const refused = () =>
      new CheckFailure(
        "status 200",
        `${status} ${text.slice(0, 300)} to ${method} ${url.pathname}`,
        exchange,
      );
    if (isSync && response.ok) this.#got(url, text, exchange);
    else if (isSync) this.gate.fail(refused());
    if (what !== undefined) {
      this.#setup.telling.did(what, { status, exchange });
      if (response.ok) this.#succeeded(url, what.request, body, { text, exchange });
      else this.#failed(url, refused(), status >= 400 && status < 500 && status !== 429);
    }
    return new Response(text, { status, headers: [...response.headers] });
  }

  #succeeded(
    url: URL,
    request: string,
    body: unknown,
    { text, exchange }: { readonly text: string; readonly exchange: string | undefined },
  ): void {
    this.#failures.delete(url.pathname);
    const response = { json: JSON.parse(text) as unknown, exchange };
    if (request === "KeysQuery") this.#setup.telling.knows(String(body), response);
    if (request === "KeysClaim") this.#setup.telling.claimed(String(body), response);
  }

  #failed(url: URL, error: Error, isFinal: boolean): void {
    const tries = (this.#failures.get(url.pathname)?.tries ?? 0) + 1;
    this.#failures.set(url.pathname, { error, tries, isFinal, isTold: false });
  }

  #got(url: URL, text: string, exchange: string | undefined): void {
    this.answer = JSON.parse(text) as JsonObject;
    const since = url.searchParams.get("since");
    const { answer } = this;
    const counts = at(answer, "device_one_time_keys_count");
    const unused = at(answer, "device_unused_fallback_key_types");
    this.#setup.telling.got(eventsAt(answer, "to_device", "events"), {
      ...(exchange === undefined ? {} : { exchange }),
      ...(since === null ? {} : { since: digest(since) }),
      next: this.next,
      changed: textsAt(answer, "device_lists", "changed"),
      left: textsAt(answer, "device_lists", "left"),
      ...(isObject(counts) ? { counts: counts as Record<string, number> } : {}),
      ...(Array.isArray(unused) ? { unusedFallback: unused.map(String) } : {}),
    });
    if (this.diesAt === "got") process.kill(process.pid, "SIGKILL");
  }

  /** Digest of the position after the last answer. */
  get next(): string {
    return digest(String(this.answer.next_batch));
  }

  /** It asks on from there: what came before, the server may forget. */
  #acknowledged(url: URL): void {
    const since = url.searchParams.get("since");
    if (since !== null) this.#setup.telling.tell("acknowledged", { next: digest(since) });
  }
}

export function textsAt(value: unknown, ...keys: readonly string[]): string[] {
  const found = at(value, ...keys);
  return Array.isArray(found) ? found.filter((each) => typeof each === "string") : [];
}
