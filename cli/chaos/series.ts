/** Figures over the time of a long run: of the harness, so that it does not grow, and of the servers. */
import { appendFileSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import type { Deployment } from "#harness/deployment/deployment";

/** One moment. */
interface Moment {
  readonly at: number;
  /** Bytes of the harness, all and on its heap. */
  readonly memory: number;
  readonly heap: number;
  /** Open files of the harness, sockets included; undefined where there is no /proc. */
  readonly files?: number;
  readonly sockets?: number;
  /** CPU time of each server so far, milliseconds. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Most forward extremities of a room in the last convergence. */
  readonly extremities: number;
}

export interface Growth {
  /** Medians of the first and the last third, after the start. */
  readonly [figure: string]: { readonly first: number; readonly last: number };
}

const EVERY_MS = 10_000;
const OPEN_FILES = "/proc/self/fd";

export class Series implements Disposable {
  readonly file: string;
  /** Of the last convergence, told by who sees it. */
  extremities = 0;
  readonly #deployment: Deployment;
  readonly #moments: Moment[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string, deployment: Deployment) {
    this.file = path.join(folder, "series.ndjson");
    this.#deployment = deployment;
    this.#timer = setInterval(() => void this.#take(), EVERY_MS);
    this.#timer.unref();
  }

  growth(): Growth {
    const third = Math.floor(this.#moments.length / 3);
    if (third === 0) return {};
    const [first, last] = [this.#moments.slice(0, third), this.#moments.slice(-third)];
    const figures = ["memory", "heap", "files", "sockets"] as const;
    return Object.fromEntries(
      figures.map((figure) => {
        const middle = (moments: readonly Moment[]) =>
          moments.map((moment) => moment[figure] ?? 0).sort((a, b) => a - b)[moments.length >> 1] ??
          0;
        return [figure, { first: middle(first), last: middle(last) }];
      }),
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #take(): Promise<void> {
    const { rss, heapUsed } = process.memoryUsage();
    const servers = [...this.#deployment.servers].map(async ([role, { server }]) => {
      const ms = await server.capabilities.usesCpu?.cpuMs().catch(() => undefined);
      return ms === undefined ? [] : [[role, ms] as const];
    });
    const moment: Moment = {
      at: Date.now(),
      memory: rss,
      heap: heapUsed,
      ...openFiles(),
      cpuMs: Object.fromEntries((await Promise.all(servers)).flat()),
      extremities: this.extremities,
    };
    this.#moments.push(moment);
    appendFileSync(this.file, `${JSON.stringify(moment)}\n`);
  }
}

function openFiles(): { files: number; sockets: number } | undefined {
  try {
    const targets = readdirSync(OPEN_FILES).flatMap((name) => {
      try {
        return [readlinkSync(path.join(OPEN_FILES, name))];
      } catch {
        // It was closed in between.
        return [];
      }
    });
    const sockets = targets.filter((target) => target.startsWith("socket:")).length;
    return { files: targets.length, sockets };
  } catch {
    return undefined;
  }
}
