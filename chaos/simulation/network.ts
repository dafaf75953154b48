/** Requests between simulated servers, and what faults of a plan do to them. */
import type { FaultStep } from "#scenarios/plan";
import type { VirtualClock } from "./clock.ts";

/** How a server is, as its peers meet it. */
export interface Endpoint {
  readonly role: string;
  isUp: boolean;
  isPaused: boolean;
  /** Rises when it is started: what it was waiting for before then is forgotten. */
  life: number;
}

/** Undefined: no answer came. */
export type Reply<T> = T | undefined;

/** As the servers of chaos are configured. */
const TIMEOUT_MS = 5000;
const SLOW_MS = 1000;
const HELD_MS = 500;

interface Active {
  readonly fault: FaultStep;
  fired: number;
}

export class VirtualNetwork {
  readonly #clock: VirtualClock;
  readonly #faults = new Map<string, Active>();
  readonly #held = new Map<string, (() => void)[]>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  begin(fault: FaultStep): void {
    this.#faults.set(fault.id, { fault, fired: 0 });
  }

  /** The fault, and how often it acted; undefined: it is not in force. */
  end(id: string): Active | undefined {
    const active = this.#faults.get(id);
    this.#faults.delete(id);
    return active;
  }

  get inForce(): readonly string[] {
    return [...this.#faults.keys()];
  }

  /** To be done when a paused server goes on. */
  hold(role: string, act: () => void): void {
    const held = this.#held.get(role) ?? [];
    this.#held.set(role, held);
    held.push(act);
  }

  /** A server that was paused does what it was asked meanwhile. */
  release(role: string): void {
    const held = this.#held.get(role) ?? [];
    this.#held.delete(role);
    for (const act of held) this.#clock.soon(`resume ${role}`, act);
  }

  /** @param handle what the receiver does; undefined: it can not answer */
  request<T>(
    from: Endpoint,
    to: Endpoint,
    label: string,
    handle: () => T | Promise<T>,
  ): Promise<Reply<T>> {
    const { life } = from;
    return new Promise((resolve) => {
      let isOver = false;
      const answer = (reply: Reply<T>) => {
        if (isOver) return;
        isOver = true;
        giveUp();
        // Who was killed meanwhile never hears of it.
        if (from.life === life && from.isUp) resolve(reply);
      };
      const noAnswer = () => answer(undefined);
      const giveUp = this.#clock.after(TIMEOUT_MS, noAnswer);
      this.#send(from, to, label, handle, answer, noAnswer);
    });
  }

  #send<T>(
    from: Endpoint,
    to: Endpoint,
    label: string,
    handle: () => T | Promise<T>,
    answer: (reply: Reply<T>) => void,
    noAnswer: () => void,
  ): void {
    const clock = this.#clock;
    const link = `${from.role}>${to.role}`;
    const fail = () => clock.soon(`${link} fails`, noAnswer);
    const deliver = (again = false) => {
      if (this.#isCut(link) !== undefined || !to.isUp) {
        this.#refuse(link, fail, noAnswer);
        return;
      }
      if (to.isPaused) {
        this.hold(to.role, () => deliver(again));
        return;
      }
      const lost = this.#act(link, "drop-answer") ?? this.#act(link, "truncate");
      void Promise.resolve(handle()).then((reply) => {
        if (again) return;
        clock.soon(`${link} answer`, () => {
          if (lost !== undefined || this.#isCut(link) !== undefined || !to.isUp) noAnswer();
          else answer(reply);
        });
      });
    };
    const cut = this.#isCut(link);
    if (cut !== undefined || !to.isUp) {
      this.#refuse(link, fail, noAnswer);
      return;
    }
    if (this.#act(link, "status")) {
      fail();
      return;
    }
    if (this.#act(link, "drop-request")) {
      clock.after(TIMEOUT_MS, noAnswer);
      return;
    }
    const arrive = (ms: number, again = false) => {
      const act = () => clock.soon(`${link} ${label}`, () => deliver(again));
      if (ms === 0) act();
      else clock.after(ms, act);
    };
    const delay = this.#act(link, "delay");
    const slow = this.#act(link, "slow-body") === undefined ? 0 : SLOW_MS;
    // Every second one is held back, so that the next one overtakes it.
    const reorder = this.#act(link, "reorder");
    const held = reorder !== undefined && reorder.fired % 2 === 1 ? HELD_MS : 0;
    arrive((delay?.fault.ms ?? 0) + slow + held);
    if (this.#act(link, "duplicate")) arrive(0, true);
  }

  #refuse(link: string, fail: () => void, noAnswer: () => void): void {
    const cut = this.#isCut(link);
    if (cut !== undefined) cut.fired += 1;
    if (cut?.fault.fault === "blackhole") this.#clock.after(TIMEOUT_MS, noAnswer);
    else fail();
  }

  #isCut(link: string): Active | undefined {
    for (const active of this.#faults.values()) {
      if (CUTS.has(active.fault.fault) && active.fault.links.includes(link)) return active;
    }
    return undefined;
  }

  /** The fault of this kind that acts on the link now, counted. */
  #act(link: string, kind: FaultStep["fault"]): Active | undefined {
    for (const active of this.#faults.values()) {
      const { fault, fired } = active;
      if (fault.fault !== kind || !fault.links.includes(link)) continue;
      if (fault.times !== undefined && fired >= fault.times) continue;
      active.fired += 1;
      return active;
    }
    return undefined;
  }
}

const CUTS: ReadonlySet<string> = new Set([
  "refuse",
  "reset",
  "blackhole",
  "disconnect",
  "wrong-certificate",
]);
