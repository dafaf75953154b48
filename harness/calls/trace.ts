/** Of a trace what is about one call: what its check did, what names its rooms, and what goes on about its delayed events and tokens. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { viewOf } from "#harness/forensics/view";
import type { Exchange } from "#harness/gateway/exchange";
import type { CallRecord } from "#harness/results/call";
import { callFactsOf } from "./facts.ts";

/** Shorter ones stand for anything. */
const MIN_NAME = 8;
/** As the recorder writes it: in what was sent, quotes are escaped. */
const CHECK = /"check":"([^"\\]*)"/;

/**
 * Reads a trace once for all calls. What services say to each other has no mark of a check: it is known by ids that answers to
 * the check had, which come before it.
 */
export async function exchangesOf(
  file: string,
  records: readonly CallRecord[],
): Promise<ReadonlyMap<CallRecord, readonly Exchange[]>> {
  const wanted = records.map((record) => ({
    record,
    names: new Set(record.rooms.flatMap(spellings)),
    found: [] as Exchange[],
  }));
  const input = createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    const check = CHECK.exec(line)?.[1];
    const askers = wanted.filter(({ record, names }) =>
      check === undefined ? [...names].some((name) => line.includes(name)) : check === record.check,
    );
    const exchange = askers.length === 0 ? undefined : parsed(line);
    if (exchange === undefined) continue;
    for (const { names, found } of askers) {
      found.push(exchange);
      if (check !== undefined)
        for (const name of namesIn(exchange)) for (const text of spellings(name)) names.add(text);
    }
  }
  return new Map(wanted.map(({ record, found }) => [record, found]));
}

/** By which others go on about what this exchange began. */
function namesIn(exchange: Exchange): readonly string[] {
  return callFactsOf(viewOf(exchange, 0)).flatMap((fact) => {
    if (fact.kind === "scheduled") return [fact.id];
    return fact.kind === "token" ? [fact.sfuRoom] : [];
  });
}

/** As they stand in paths and in bodies. */
function spellings(name: string): readonly string[] {
  return name.length < MIN_NAME ? [] : [name, encodeURIComponent(name)];
}

/** Undefined: the line that was being written when the run was killed. */
function parsed(line: string): Exchange | undefined {
  try {
    return JSON.parse(line) as Exchange;
  } catch {
    return undefined;
  }
}
