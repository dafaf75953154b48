/** Where the records of a failure come from: a run directory, traces, client logs, HAR files of elsewhere. */
import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { type Entry, readClientLog } from "#harness/clients/crypto/client-log";
import { HarnessError } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import { isObject } from "#harness/match/json";
import { exchangesInHar } from "./har.ts";

/** Folders of a run: what the gateways recorded, and what encrypting clients told. */
const [TRACES, CLIENT_LOGS] = ["trace", "clients"] as const;

export interface Sources {
  readonly exchanges: AsyncIterable<Exchange>;
  readonly entries: readonly Entry[];
  /** Bytes of all traces. */
  readonly bytes: number;
}

/**
 * @param given run directories, traces, logs of clients and HAR files, told apart by their content
 * @throws HarnessError BAD_FILE with the file and what it should be
 */
export function openSources(given: readonly string[]): Sources {
  const files = given.flatMap(filesIn);
  const kinds = files.map((file) => [file, kindOf(file)] as const);
  const traces = kinds.filter(([, kind]) => kind !== "log");
  if (traces.length === 0) {
    throw new HarnessError("BAD_FILE", {
      what: `there is no trace in ${given.join(", ")}`,
      next: "name a run directory (.runs/<id>), a trace of the gateway (trace/*.ndjson), or HAR files",
    });
  }
  return {
    exchanges: read(traces),
    entries: kinds.flatMap(([file, kind]) => (kind === "log" ? readClientLog(file) : [])),
    bytes: traces.reduce((sum, [file]) => sum + statSync(file).size, 0),
  };
}

function filesIn(given: string): readonly string[] {
  if (!existsSync(given)) {
    throw new HarnessError("BAD_FILE", {
      what: `there is no ${given}`,
      next: "name a run directory (.runs/<id>), a trace, client logs, or HAR files",
    });
  }
  if (!statSync(given).isDirectory()) return [given];
  const named = [TRACES, CLIENT_LOGS].flatMap((folder) => ndjsonIn(path.join(given, folder)));
  return named.length > 0 ? named : ndjsonIn(given);
}

function ndjsonIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ndjson") || name.endsWith(".jsonl"))
    .sort()
    .map((name) => path.join(folder, name));
}

type Kind = "trace" | "log" | "har";

function kindOf(file: string): Kind {
  const isHar = file.endsWith(".har");
  if (isHar) return "har";
  const first = firstLine(file);
  if (isObject(first) && typeof first.t === "string" && "device" in first) return "log";
  if (isObject(first) && typeof first.path === "string" && "method" in first) return "trace";
  if (first === undefined && statSync(file).size === 0) return "trace";
  const text = readFileSync(file, "utf8");
  if (text.trimStart().startsWith("{") && text.includes('"entries"')) return "har";
  throw new HarnessError("BAD_FILE", {
    what: `${file} is no trace of the gateway, no log of a client and no HAR file`,
    next: "name a run directory (.runs/<id>), a trace (trace/*.ndjson), client logs, or HAR files",
  });
}

/** More than the longest line that a trace or a log begins with. */
const FIRST_BYTES = 1024 * 1024;

function firstLine(file: string): unknown {
  const handle = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(FIRST_BYTES);
    const text = buffer.toString("utf8", 0, readSync(handle, buffer, 0, FIRST_BYTES, 0));
    const end = text.indexOf("\n");
    return JSON.parse(end < 0 ? text : text.slice(0, end));
  } catch {
    return undefined;
  } finally {
    closeSync(handle);
  }
}

async function* read(files: readonly (readonly [string, Kind])[]): AsyncGenerator<Exchange> {
  for (const [file, kind] of files) {
    if (kind === "har") {
      // Their exchanges have numbers; those of gateways have ids of the run, which logs of clients name.
      const name = path.basename(file).replace(/\.(?:har|json)$/, "");
      for (const exchange of exchangesInHar(file)) yield { ...exchange, id: name + exchange.id };
    } else yield* readTrace(file);
  }
}

/**
 * A trace as the gateway writes it; the last line may be one that is being written.
 *
 * @throws HarnessError BAD_FILE with file and line
 */
async function* readTrace(file: string): AsyncGenerator<Exchange> {
  const lines = createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let at = 0;
  let broken: { readonly line: number; readonly cause: unknown } | undefined;
  for await (const line of lines) {
    at++;
    if (line === "") continue;
    if (broken !== undefined) {
      throw new HarnessError("BAD_FILE", {
        what: `${file}:${broken.line}: no exchange`,
        next: "a trace has one JSON object a line, as the gateway writes them",
        cause: broken.cause,
      });
    }
    try {
      const value: unknown = JSON.parse(line);
      if (!isObject(value) || typeof value.path !== "string" || !isObject(value.request))
        throw new TypeError("no path or no request");
      yield value as unknown as Exchange;
    } catch (cause) {
      broken = { line: at, cause };
    }
  }
}
