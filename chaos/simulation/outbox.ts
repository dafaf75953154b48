/**
 * What a server has to tell another one. After a failure events are not queued any more: once the other one can be reached,
 * it gets the newest ones of each room and fetches the rest, as Synapse does it.
 */
import type { Pdu } from "#chaos/events/make-event";
import type { VirtualClock } from "./clock.ts";

export type Edu =
  | {
      readonly kind: "to-device";
      readonly id: string;
      readonly sender: string;
      readonly target: string;
      readonly content: string;
    }
  | { readonly kind: "device-list"; readonly user: string };

export interface Transaction {
  readonly id: string;
  readonly pdus: readonly Pdu[];
  readonly edus: readonly Edu[];
}

export interface OutboxLinks {
  readonly clock: VirtualClock;
  readonly canSend: () => boolean;
  /** True when it was acknowledged. */
  readonly transmit: (transaction: Transaction) => Promise<boolean>;
  /** What to send of a room when it was not reached for a while; the newest of those that it did not get. */
  readonly newest: (missed: Pdu) => readonly Pdu[];
}

const MOST_PDUS = 50;
const BACKOFF_MS = 1000;
/** Synapse: 60 s. Shorter, as nothing is learnt from waiting. */
const WAKE_MS = 20_000;

export class Outbox {
  readonly #links: OutboxLinks;
  #pending: Pdu[] = [];
  /** By room the newest event that the other server did not get. */
  readonly #missed = new Map<string, Pdu>();
  #edus: Edu[] = [];
  #isSending = false;
  #isFailing = false;
  #notBefore = 0;
  #stopWaiting: (() => void) | undefined;
  #count = 0;
  #life = 0;

  constructor(links: OutboxLinks) {
    this.#links = links;
  }

  add(pdu: Pdu): void {
    if (this.#isFailing) this.#missed.set(pdu.event.roomId, pdu);
    else this.#pending.push(pdu);
    this.#pump();
  }

  tell(edu: Edu): void {
    const isKnown = this.#edus.some((one) => JSON.stringify(one) === JSON.stringify(edu));
    if (!isKnown) this.#edus.push(edu);
    this.#pump();
  }

  /** The other server is there: it is tried at once. */
  wake(): void {
    this.#notBefore = 0;
    this.#pump();
  }

  /** What is only in memory is forgotten, which events there are is not. */
  forget(): void {
    this.#life += 1;
    this.#isSending = false;
    this.#fail();
  }

  #fail(): void {
    for (const pdu of this.#pending) this.#missed.set(pdu.event.roomId, pdu);
    this.#pending = [];
    this.#isFailing = this.#missed.size > 0;
  }

  #pump(): void {
    const { clock, canSend } = this.#links;
    if (this.#isSending || !canSend() || clock.now < this.#notBefore) return;
    const missed = [...this.#missed.values()];
    const pdus = this.#isFailing
      ? missed.flatMap((pdu) => this.#links.newest(pdu))
      : this.#pending.slice(0, MOST_PDUS);
    const edus = [...this.#edus];
    if (pdus.length + edus.length === 0) return;
    this.#isSending = true;
    this.#count += 1;
    const life = this.#life;
    const transaction = { id: `${this.#count}`, pdus, edus };
    void this.#links.transmit(transaction).then((isDone) => {
      if (life !== this.#life) return;
      this.#isSending = false;
      if (isDone) this.#succeed(missed, pdus, edus);
      else this.#backOff();
      this.#pump();
    });
  }

  #succeed(missed: readonly Pdu[], pdus: readonly Pdu[], edus: readonly Edu[]): void {
    this.#edus = this.#edus.filter((edu) => !edus.includes(edu));
    if (!this.#isFailing) this.#pending = this.#pending.filter((pdu) => !pdus.includes(pdu));
    for (const pdu of missed) {
      if (this.#missed.get(pdu.event.roomId) === pdu) this.#missed.delete(pdu.event.roomId);
    }
    this.#isFailing = this.#missed.size > 0;
    if (this.#isFailing || this.#edus.length > 0) return;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #backOff(): void {
    const { clock } = this.#links;
    this.#fail();
    this.#notBefore = clock.now + BACKOFF_MS;
    this.#stopWaiting ??= clock.after(WAKE_MS, () => {
      this.#stopWaiting = undefined;
      this.wake();
    });
  }
}
