/** What the page was given, as texts: read by the worker, so that the page stays of use while it is. */
import { encodeBase64 } from "#protocol/events/base64";
import type { FileText } from "#tardis/formats/load";
import type { Source } from "#tardis/view/messages";

export async function textsOf(source: Source): Promise<readonly FileText[]> {
  if (typeof source === "string") return JSON.parse(await unpacked(source));
  return await Promise.all(
    source.map(async (one) =>
      "text" in one && typeof one.text === "string"
        ? { name: one.name, text: one.text }
        : { name: one.name, text: await (one as File).text() },
    ),
  );
}

/** Of gzip in base64. */
async function unpacked(base64: string): Promise<string> {
  const binary = atob(base64.trim());
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** As a page has its files within it: gzip in base64, of the list of them as JSON. */
export async function packed(source: Source): Promise<string> {
  if (typeof source === "string") return source;
  const text = JSON.stringify(await textsOf(source));
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return encodeBase64(new Uint8Array(await new Response(stream).arrayBuffer()));
}
