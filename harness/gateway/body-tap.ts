import { BODY_LIMIT, type RecordedMessage } from "./exchange.ts";
import { SCRUBBED, scrub } from "./scrub.ts";

/** Collects the beginning of a body while it passes by, for the trace. */
export class BodyTap {
  bytes = 0;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.#keptBytes >= BODY_LIMIT) return;
    const part = chunk.subarray(0, BODY_LIMIT - this.#keptBytes);
    this.#kept.push(part);
    this.#keptBytes += part.length;
  }

  record(
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): RecordedMessage {
    const message = { headers: scrubHeaders(headers), bytes: this.bytes };
    if (this.bytes === 0) return message;
    const body = Buffer.concat(this.#kept);
    return isBinary(body) ? message : { ...message, body: scrub(body.toString("utf8")) };
  }
}

const SECRET_HEADERS = new Set(["cookie", "set-cookie", "proxy-authorization"]);

function scrubHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const scrubbed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith("x-crucible-")) continue;
    scrubbed[name] = SECRET_HEADERS.has(name)
      ? SCRUBBED
      : scrub(typeof value === "string" ? value : value.join(", "));
  }
  return scrubbed;
}

function isBinary(body: Buffer): boolean {
  return body.subarray(0, 512).includes(0) || body.subarray(0, 4).toString("latin1") === "\x89PNG";
}
