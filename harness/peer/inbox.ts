/** What came to a peer, kept for the whole check, and waiting for more. */
import { CheckFailure } from "#harness/errors";

export interface WaitOptions {
  readonly deadlineMs?: number;
}

export interface InboxSettings {
  /** What comes, in plural: "PDUs". */
  readonly plural: string;
  readonly timeoutScale: number;
  readonly signal: AbortSignal;
}

const DEADLINE_MS = 10_000;
const SHOWN_AT_MOST = 5;

export class Inbox<Item> {
  readonly items: Item[] = [];
  readonly #settings: InboxSettings;
  readonly #show: (item: Item) => string;
  readonly #waiting = new Set<() => void>();
  readonly #listeners: ((item: Item) => void)[] = [];

  constructor(settings: InboxSettings, show: (item: Item) => string) {
    this.#settings = settings;
    this.#show = show;
  }

  add(item: Item): void {
    this.items.push(item);
    for (const look of [...this.#waiting]) look();
    for (const listener of this.#listeners) listener(item);
  }

  /** Calls with what came already, and with what comes, at once. */
  listen(listener: (item: Item) => void): void {
    for (const item of this.items) listener(item);
    this.#listeners.push(listener);
  }

  /**
   * The first item that fits, among those that came already and those to come.
   *
   * @param what completes "expected …"
   * @throws CheckFailure at the deadline, with what came instead
   */
  async wait(
    what: string,
    fits: (item: Item) => boolean,
    { deadlineMs = DEADLINE_MS }: WaitOptions = {},
  ): Promise<Item> {
    const { signal, timeoutScale } = this.#settings;
    const { promise, resolve, reject } = Promise.withResolvers<Item>();
    let looked = 0;
    const look = () => {
      try {
        for (; looked < this.items.length; looked++) {
          const item = this.items[looked];
          if (item !== undefined && fits(item)) return resolve(item);
        }
      } catch (error) {
        reject(error);
      }
    };
    const scaledMs = deadlineMs * timeoutScale;
    const expire = () =>
      reject(new CheckFailure(`${what} within ${scaledMs} ms`, this.#describeItems()));
    const abort = () => reject(signal.reason);
    const timer = setTimeout(expire, scaledMs);
    this.#waiting.add(look);
    signal.addEventListener("abort", abort, { once: true });
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
      signal.removeEventListener("abort", abort);
    }
  }

  #describeItems(): string {
    const { plural } = this.#settings;
    if (this.items.length === 0) return `no ${plural}`;
    const last = this.items.slice(-SHOWN_AT_MOST).map((item) => this.#show(item));
    return `${this.items.length} other ${plural}, lastly ${last.join("; ")}`;
  }
}
