/** Steps the sync loop of matrix-js-sdk: each of its requests to `/sync` waits for leave. */

export class SyncGate {
  /** Resolves when the loop asks: what the last answer brought has been taken in. */
  #arrival = Promise.withResolvers<void>();
  #leave = Promise.withResolvers<number>();
  #failure = Promise.withResolvers<never>();

  constructor() {
    this.#failure.promise.catch(() => undefined);
  }

  /** For the loop: returns the long-poll that it may do, milliseconds. */
  async enter(): Promise<number> {
    this.#arrival.resolve();
    const timeoutMs = await this.#leave.promise;
    this.#leave = Promise.withResolvers();
    return timeoutMs;
  }

  /** The request that had leave has failed. The loop asks again when it likes, some seconds later. */
  fail(error: Error): void {
    this.#failure.reject(error);
  }

  /** Returns when the loop has done one sync and asks for the next. @throws what `fail` was told */
  async step(timeoutMs: number): Promise<void> {
    await this.#arrival.promise;
    this.#arrival = Promise.withResolvers();
    this.#failure = Promise.withResolvers();
    this.#failure.promise.catch(() => undefined);
    this.#leave.resolve(timeoutMs);
    await Promise.race([this.#arrival.promise, this.#failure.promise]);
  }
}
