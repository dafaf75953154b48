/**
 * Scenarios in links. TARDIS: the page's address, `#`, and the JSON as base64 in the URL-safe alphabet. Ours: `d.` and the
 * same of the deflated JSON, alone behind `#` or as `src` among other parameters.
 */
import { describe } from "#harness/errors";
import { decodeBase64, encodeBase64Url } from "#protocol/events/base64";
import { RunError } from "#tardis/model/problem";

/** What a link may unfold to: more is no scenario. */
const MAX_UNFOLDED_BYTES = 16 * 1024 * 1024;
/** Above, links stop to work in places that people paste them into. */
const MAX_LINK_BYTES = 32 * 1024;

const LINK = /^(?:(?:https?|file):\/\/[^\s#]*)?#(\S+)$/;
const FRAGMENT = /^(d\.[\w-]+|ey[\w+/-]+={0,2})$/;

/**
 * The text of the scenario in a link, or undefined for what is no link.
 *
 * @throws RunError for a link that can not be read
 */
export async function readLink(text: string, name: string): Promise<string | undefined> {
  const trimmed = text.trim();
  const fragment = LINK.exec(trimmed)?.[1] ?? FRAGMENT.exec(trimmed)?.[1];
  if (fragment === undefined) return undefined;
  const source = /(?:^|&)src=([^&]*)/.exec(fragment)?.[1] ?? fragment;
  const decoded = decodeURIComponentOr(source);
  if (/^\w+:\/\//.test(decoded)) {
    const what = "the link names an address, and nothing is loaded from elsewhere: name the file";
    throw new RunError({ file: name, what });
  }
  const bytes = decodeBase64(decoded.replace(/^d\./, ""));
  if (bytes === undefined) throw new RunError({ file: name, what: "the link is no base64" });
  try {
    const unfolded = decoded.startsWith("d.") ? await inflate(bytes) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(unfolded);
  } catch (error) {
    const what = `the link is cut or broken: ${describe(error)}`;
    throw new RunError({ file: name, what });
  }
}

/**
 * A scenario as the fragment of a link, with `#`.
 *
 * @throws RunError when it is too long for one
 */
export async function writeLink(scenario: string): Promise<string> {
  const link = `#src=d.${encodeBase64Url(await deflate(new TextEncoder().encode(scenario)))}`;
  if (link.length <= MAX_LINK_BYTES) return link;
  const what = `${link.length} bytes are too long for a link: pass the file on`;
  throw new RunError({ file: "link", what });
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return collect(stream, Number.POSITIVE_INFINITY);
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const blob = new Blob([new Uint8Array(bytes)]);
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return collect(stream, MAX_UNFOLDED_BYTES);
}

async function collect(stream: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > most) throw new Error(`it unfolds to more than ${most} bytes`);
    chunks.push(chunk);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
