/** Steps the sync loop of matrix-js-sdk: each of its requests to `/sync` waits for leave. */

export class SyncGate {
  /** Resolves when the loop asks: what the last answer brought has been taken in. */
  #arrival = Promise.withResolvers<void>();
  #leave = Promise.withResolvers<number>();

  /** For the loop: returns the long-poll that it may do, milliseconds. */
  async enter(): Promise<number> {
    this.#arrival.resolve();
    const timeoutMs = await this.#leave.promise;
    this.#leave = Promise.withResolvers();
    return timeoutMs;
  }

  /** Returns when the loop has done one sync and asks for the next. */
  async step(timeoutMs: number): Promise<void> {
    await this.#arrival.promise;
    this.#arrival = Promise.withResolvers();
    this.#leave.resolve(timeoutMs);
    await this.#arrival.promise;
  }
}
