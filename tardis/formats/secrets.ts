/** Exchanges in a replay without what lets somebody else act: tokens, passwords, keys, and who signed what. */
import { SCRUBBED, scrub } from "#harness/gateway/scrub";
import { isObject, type JsonValue } from "#protocol/events/event";
import { parseJson, writeJson } from "#tardis/model/json";

const HEADERS = /^(?:proxy-)?authorization$|^(?:set-)?cookie$/i;
const EXCHANGE = /"t"\s*:\s*"http"/;

/** The text of a replay; lines that are no exchanges stay as they are, byte for byte. */
export function scrubReplay(text: string): string {
  if (!EXCHANGE.test(text)) return text;
  return text
    .split("\n")
    .map((line) => (EXCHANGE.test(line) ? scrubLine(line) : line))
    .join("\n");
}

function scrubLine(line: string): string {
  try {
    const value = parseJson(line) as JsonValue;
    if (!isObject(value) || value.t !== "http") return line;
    return scrub(writeJson(scrubbed(value)));
  } catch {
    // No JSON: text all the same.
    return scrub(line);
  }
}

/** Bodies may be texts of JSON, whose quotes are escaped in the line. */
function scrubbed(value: JsonValue): JsonValue {
  if (typeof value === "string") return scrub(value);
  if (Array.isArray(value)) return value.map(scrubbed);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      HEADERS.test(key) ? SCRUBBED : scrubbed(inner),
    ]),
  );
}
