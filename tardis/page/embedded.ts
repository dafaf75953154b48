/** What comes with the page, in elements that no browser runs. */

/** Empty where there is nothing. */
export function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

/** Of gzip in base64. */
export async function bytesOf(base64: string): Promise<ArrayBuffer> {
  const binary = atob(base64.trim());
  const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
