/** A page in Chromium, with a clock in it: frames, the time of its own scripts, memory of it and of its worker. */
import type { CDPSession, Page } from "playwright-core";

export interface Frames {
  /** Milliseconds from one to the next. */
  readonly times: readonly number[];
  /** Milliseconds of scripts in each, on average. */
  readonly scriptMs: number;
}

export class PageWatch {
  readonly page: Page;
  readonly #session: CDPSession;

  private constructor(page: Page, session: CDPSession) {
    this.page = page;
    this.#session = session;
  }

  static async of(page: Page): Promise<PageWatch> {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    return new PageWatch(page, session);
  }

  /** @param act what is done once a frame, as code */
  async frames(count: number, act: string): Promise<Frames> {
    const before = await this.#scripts();
    const times = await this.page.evaluate<number[]>(`(async () => {
      const frame = () => new Promise(requestAnimationFrame);
      const grid = document.querySelector("#grid");
      const slider = document.querySelector("#strip input");
      const times = [];
      let last = await frame();
      for (let at = 0; at < ${count}; at++) {
        ${act};
        const now = await frame();
        times.push(now - last);
        last = now;
      }
      return times;
    })()`);
    return { times, scriptMs: (((await this.#scripts()) - before) * 1_000) / count };
  }

  /** Milliseconds from doing something until the picture of it was handed over, least of some rounds. */
  async picture(rounds: number, act: string): Promise<number> {
    return await this.page.evaluate<number>(`(async () => {
      const frame = () => new Promise(requestAnimationFrame);
      let least = Infinity;
      for (let at = 0; at < ${rounds}; at++) {
        await frame();
        await frame();
        const begun = performance.now();
        ${act};
        await frame();
        // What was asked for before this frame is drawn in it; a message comes after it.
        await new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = resolve;
          port2.postMessage(0);
        });
        least = Math.min(least, performance.now() - begun);
      }
      return least;
    })()`);
  }

  /** Bytes of scripts' objects, of the page and of its workers, after what is unused was thrown away. */
  async heap(): Promise<{ readonly page: number; readonly workers: number }> {
    const workers: number[] = [];
    const seen: Promise<void>[] = [];
    this.#session.on("Target.attachedToTarget", ({ sessionId }) => {
      seen.push(this.#heapOf(sessionId).then((bytes) => void workers.push(bytes)));
    });
    await this.#session.send("Target.setAutoAttach", {
      autoAttach: true,
      waitForDebuggerOnStart: false,
      flatten: false,
    });
    await this.#session.send("HeapProfiler.collectGarbage");
    const own = await this.#session.send("Runtime.getHeapUsage");
    await Promise.all(seen);
    return { page: bytesIn(own), workers: workers.reduce((sum, bytes) => sum + bytes, 0) };
  }

  async #heapOf(sessionId: string): Promise<number> {
    await this.#tell(sessionId, 1, "HeapProfiler.collectGarbage");
    return bytesIn(await this.#tell(sessionId, 2, "Runtime.getHeapUsage"));
  }

  async #tell(sessionId: string, id: number, method: string): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const hear = ({ sessionId: from, message }: { sessionId: string; message: string }) => {
      const told: { readonly id?: number; readonly result?: unknown } = JSON.parse(message);
      if (from !== sessionId || told.id !== id) return;
      this.#session.off("Target.receivedMessageFromTarget", hear);
      answer.resolve(told.result);
    };
    this.#session.on("Target.receivedMessageFromTarget", hear);
    const message = JSON.stringify({ id, method });
    await this.#session.send("Target.sendMessageToTarget", { sessionId, message });
    return await answer.promise;
  }

  /** Seconds so far. */
  async #scripts(): Promise<number> {
    const { metrics } = await this.#session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "ScriptDuration")?.value ?? 0;
  }
}

/** Of objects, and of the memory behind arrays of numbers. */
function bytesIn(usage: unknown): number {
  const { usedSize = 0, backingStorageSize = 0 } = usage as {
    usedSize?: number;
    backingStorageSize?: number;
  };
  return usedSize + backingStorageSize;
}
