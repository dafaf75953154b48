/** Which format a text is in, told by its content. */

import JSON5 from "json5";
import { describe } from "#harness/errors";
import { isObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { parseJson } from "#tardis/model/json";
import { type Problem, RunError } from "#tardis/model/problem";
import { isAnswer, readAnswers } from "./answers.ts";
import { isChaosLog, readChaosLog } from "./chaos-log.ts";
import { readChaosStream } from "./chaos-stream.ts";
import { isDag, readDag } from "./dag.ts";
import { isHar, readHar } from "./har.ts";
import { itemLines } from "./item-lines.ts";
import type { Input, Item, Part } from "./part.ts";
import { readReplay } from "./replay.ts";
import { readRoom } from "./room.ts";
import { isScenario, readScenario } from "./scenario.ts";
import { readSynapseExport } from "./synapse-export.ts";
import { isTestLog, readTestLog } from "./test-log.ts";

const KNOWN =
  "known are events as NDJSON or a JSON array, scenarios of TARDIS (JSON5), replays, HAR, streams and logs of Chaos, " +
  "output of go test, exports of Synapse's database, answers of servers, and DAG files";

/**
 * @param version of what can be of any
 * @throws RunError for what is in none of the formats
 */
export function recognise(name: string, text: string, version?: RoomVersion): Part {
  const plain = text.replace(/^\ufeff/, "");
  const input = { name, text: plain, items: [], value: undefined, problems: [] };
  if (plain.trim() === "") throw new RunError({ file: name, what: "the file is empty" });
  if (!/^\s*[[{]/.test(plain) && isChaosLog(plain)) return readChaosLog(input);
  if (isTestLog(plain)) return readTestLog(input);
  return ofJson(input, version);
}

function ofJson(input: Input, version: RoomVersion | undefined): Part {
  const whole = attempt(() => parseJson(input.text));
  if (whole.value !== undefined) return ofValue({ ...input, value: whole.value }, version);
  const lines = linesOf(input);
  const isMostlyLines = lines.items.length > 0 && lines.items.length >= lines.problems.length;
  if (isMostlyLines) return ofItems(lines);
  const five = attempt(() => JSON5.parse<unknown>(input.text));
  if (five.value !== undefined) return ofValue({ ...input, value: five.value }, version);
  if (!/^\s*(?:[[{]|\/[/*])/.test(input.text)) throw unknownFormat(input.name);
  throw new RunError(syntaxProblem(input.name, five.error));
}

function ofValue(input: Input, version: RoomVersion | undefined): Part {
  const { name, text, value } = input;
  if (Array.isArray(value)) {
    const lines = itemLines(text);
    const items = value.map((item: unknown, at) => ({
      place: { file: name, line: lines[at], field: `[${at}]` },
      value: item,
    }));
    return ofItems({ ...input, items });
  }
  if (isDag(value)) return readDag(input, version);
  if (isHar(value)) return readHar(input);
  if (isScenario(value)) return readScenario(input);
  return ofItems({ ...input, items: [{ place: { file: name, line: 1 }, value }] });
}

/** By the first entry that tells: the ones before it may be broken. */
function ofItems(input: Input): Part {
  for (const { value } of input.items) {
    const read = readerOf(value);
    if (read !== undefined) return read(input);
  }
  throw unknownFormat(input.name, input.problems[0]);
}

function readerOf(value: unknown): ((input: Input) => Part) | undefined {
  if (!isObject(value)) return undefined;
  if (typeof value.t === "string" && (value.format === "mx-replay" || "seq" in value))
    return readReplay;
  if (typeof value.Type === "string" && value.Type.startsWith("Payload")) return readChaosStream;
  if (typeof value.Action === "string" && "Package" in value) return readTestLog;
  if (isObject(value.pdu) && "stream_ordering" in value) return readSynapseExport;
  if (typeof value.type === "string" && isObject(value.content)) return readRoom;
  return isAnswer(value) ? readAnswers : undefined;
}

function linesOf(input: Input): Input {
  const items: Item[] = [];
  const problems: Problem[] = [];
  for (const [at, line] of input.text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = { file: input.name, line: at + 1 };
    const { value, error } = attempt(() => parseJson(line));
    if (isObject(value)) items.push({ place, value });
    else problems.push({ ...place, what: error === undefined ? "no object" : describe(error) });
  }
  return { ...input, items, problems };
}

function attempt(run: () => unknown): { readonly value?: unknown; readonly error?: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function unknownFormat(name: string, problem?: Problem): RunError {
  if (problem !== undefined) return new RunError(problem);
  return new RunError({ file: name, what: `is in no known format; ${KNOWN}` });
}

/** Errors of JSON5 know their line. */
function syntaxProblem(file: string, error: unknown): Problem {
  const line = isObject(error) ? error.lineNumber : undefined;
  const what = describe(error)
    .replace(/^JSON5: /, "")
    .replace(/ at \d+:\d+$/, "");
  return { file, line: typeof line === "number" ? line : undefined, what };
}
