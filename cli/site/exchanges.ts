/** What checks that did not pass said to servers and heard from them, out of the traces of their runs. */
import { createReadStream, existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Exchange } from "#harness/gateway/exchange";
import type { Evidence } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import type { Finding } from "#reports/summarise";

/** Of one check: the last ones tell. */
const MOST = 8;
/** Checks of one run of which that is kept: a run in which all fails fails alike. */
const MOST_CHECKS = 300;
const ID = /^\{"id":"([^"\\]{1,200})"/;

/** By the list of their ids: when runs are merged everything else of a finding may be renamed. */
export class Exchanges {
  readonly #texts = new WeakMap<readonly string[], readonly string[]>();
  #checksLeftOut = 0;

  async read(run: StoredRun, folder: string, isShown: (evidence: Evidence) => boolean) {
    const all = run.evidence.filter((one) => one.exchange !== undefined && isShown(one));
    const shown = all.slice(0, MOST_CHECKS);
    this.#checksLeftOut += all.length - shown.length;
    const wanted = new Set(shown.flatMap(({ exchanges }) => exchanges.slice(-MOST)));
    if (wanted.size === 0) return;
    const found = await exchangesIn(path.join(folder, "trace"), wanted);
    for (const { exchanges } of shown) {
      const texts = exchanges.slice(-MOST).flatMap((id) => found.get(id) ?? []);
      this.#texts.set(exchanges, texts);
    }
  }

  of({ evidence }: Finding): readonly string[] {
    return evidence === undefined ? [] : (this.#texts.get(evidence.exchanges) ?? []);
  }

  get leftOut(): readonly string[] {
    return this.#checksLeftOut === 0
      ? []
      : [`exchanges of ${this.#checksLeftOut} checks, but for their last one each`];
  }
}

async function exchangesIn(
  folder: string,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (!existsSync(folder)) return found;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".ndjson"))) {
    const input = createReadStream(path.join(folder, name));
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const id = ID.exec(line)?.[1] ?? "";
      if (!wanted.has(id)) continue;
      const text = textOf(line);
      if (text !== undefined) found.set(id, text);
    }
  }
  return found;
}

/** Undefined: cut off by a kill, or no line of a trace. */
function textOf(line: string): string | undefined {
  try {
    const exchange = JSON.parse(line) as Exchange;
    const { id, from, to, method, path: target, request, status, response, error } = exchange;
    return [
      `${id} ${from} -> ${to}, ${Math.round(exchange.durationMs)} ms${rulesText(exchange)}`,
      `${method} ${target}`,
      ...(request.body ? [request.body] : []),
      `-> ${status ?? error ?? "no answer"}`,
      ...(response?.body ? [response.body] : []),
    ].join("\n");
  } catch {
    return undefined;
  }
}

function rulesText({ rules = [] }: Exchange): string {
  return rules.length === 0 ? "" : `, changed by ${rules.join(", ")}`;
}
