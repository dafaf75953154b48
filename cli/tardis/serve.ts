/** `crucible tardis serve`: the page with a file, or with each file of a folder, on loopback until Ctrl-C. */
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { print, remark } from "#cli/io";
import { ROOT } from "#cli/run/session";
import { describe, HarnessError } from "#harness/errors";
import { readText } from "./files.ts";
import { type Found, filesIn, verdictOf } from "./folders.ts";
import { escaped, listPage } from "./list-page.ts";
import { HEADERS, isForUs, listen, portOf } from "./loopback.ts";
import { pageTemplate, pageWith } from "./page.ts";

interface ServeOptions {
  readonly port: string;
}

/** @param names the tutorials unless given */
export async function serve(names: readonly string[], { port }: ServeOptions): Promise<void> {
  await using site = await openSite(names, portOf(port));
  print(site.url);
  remark(`${site.files} ${site.files === 1 ? "file" : "files"}; Ctrl-C ends it`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

interface OpenSite extends AsyncDisposable {
  readonly url: string;
  readonly files: number;
}

/** Listens on loopback until it is disposed of. @throws HarnessError BAD_FILE, BAD_USAGE */
export async function openSite(names: readonly string[], port: number): Promise<OpenSite> {
  const site = await siteOf(names.length > 0 ? names : [path.join(ROOT, "tardis/examples")]);
  const listening = await listen(port, (request, response) => answer(site, request, response));
  return {
    url: listening.url,
    files: site.files.length,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

interface Site {
  readonly template: string;
  /** Paths, and what they are called in the list. */
  readonly files: readonly Found[];
}

async function siteOf(names: readonly string[]): Promise<Site> {
  const files = names.flatMap(filesIn);
  if (files.length === 0) {
    throw new HarnessError("BAD_FILE", {
      what: `there is nothing to show in ${names.join(", ")}`,
      next: "name a file, or a folder with rooms, scenarios, replays, HAR or logs; of a run, one that kept rooms (--record all)",
    });
  }
  return { template: await pageTemplate(), files };
}

function answer({ template, files }: Site, request: IncomingMessage, response: ServerResponse) {
  const { method, url = "/" } = request;
  const [where = "/"] = url.split("?");
  const isOwn = isForUs(request);
  if (!isOwn || (method !== "GET" && method !== "HEAD")) {
    response.writeHead(isOwn ? 405 : 403, { ...HEADERS, "content-type": "text/plain" });
    response.end("this server answers its own pages only\n");
    return;
  }
  const at = /^\/(\d{1,5})$/.exec(where)?.[1];
  const file = files[where === "/" && files.length === 1 ? 0 : Number(at)];
  try {
    if (file !== undefined) {
      const { title } = file;
      respond(response, 200, pageWith(template, [{ name: title, text: readText(file.file) }]));
    } else if (where === "/") respond(response, 200, listOf(files));
    else if (where === "/empty") respond(response, 200, pageWith(template, []));
    else respond(response, 404, "<!doctype html><title>no such page</title>");
  } catch (error) {
    respond(response, 500, `<!doctype html><pre>${escaped(describe(error))}</pre>`);
  }
}

function respond(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, HEADERS).end(body);
}

function listOf(files: Site["files"]): string {
  const entries = files.map(({ file, title }, at) => ({
    href: `/${at}`,
    title,
    verdict: verdictOf(file),
  }));
  return listPage(entries, '<p><a href="/empty">an empty page, to drop files on</a></p>');
}
