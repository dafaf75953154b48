/** `crucible tardis export`: the page and files in one file, or a folder of such, that open from anywhere. */
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { print, remark } from "#cli/io";
import { makeFolder } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import { problemText } from "#tardis/model/problem";
import { isLink, orBadFile, readText, writeTo } from "./files.ts";
import { type Found, filesIn, isSensitive, verdictOf } from "./folders.ts";
import { listPage } from "./list-page.ts";
import { pageTemplate } from "./page.ts";
import { type Page, pageOf } from "./page-files.ts";

interface ExportOptions {
  readonly output: string;
  readonly redactContent?: true;
  readonly disclose?: true;
  /** MiB. */
  readonly limit?: string;
}

export async function exportPage(names: readonly string[], options: ExportOptions): Promise<void> {
  const files = shareable(
    names.flatMap((name) => (isLink(name) ? linkOf(name) : filesIn(name))),
    options,
  );
  const template = await pageTemplate();
  const { output } = options;
  const isFolder = /[/\\]$/.test(output) || (existsSync(output) && statSync(output).isDirectory());
  if (!isFolder) {
    const page = await pageFor(template, files, options);
    writeTo(output, page.html);
    print(`${output}${page.fragment}: ${sizeOf(page)}`);
    return;
  }
  makeFolder(output, "name another folder");
  const entries = [];
  const taken = new Set<string>(["index.html"]);
  for (const { file, title } of files) {
    const name = pageName(title, taken);
    const page = await pageFor(template, [{ file, title }], options);
    writeTo(path.join(output, name), page.html);
    entries.push({
      href: encodeURIComponent(name) + page.fragment,
      title,
      verdict: verdictOf(file),
    });
  }
  const index = path.join(output, "index.html");
  writeTo(index, listPage(entries));
  print(`${index}: ${files.length} recordings`);
}

/** Of a file; with its ending, or a number, where another page is called so, on file systems that tell no case apart too. */
function pageName(title: string, taken: Set<string>): string {
  const whole = title.replace(/[^\w.-]+/g, "_");
  const short = whole.replace(/\.replay\.ndjson$|\.\w+$/, "");
  const names = [short, whole].map((name) => `${name}.html`);
  for (let number = 2; ; number++) {
    const free = names.find((name) => !taken.has(name.toLowerCase()));
    if (free !== undefined) {
      taken.add(free.toLowerCase());
      return free;
    }
    names.push(`${whole}-${number}.html`);
  }
}

async function pageFor(
  template: string,
  files: readonly Found[],
  { redactContent, limit }: ExportOptions,
): Promise<Page> {
  const names = files.map(({ file }) => path.basename(file));
  // Where they lay on this machine is nobody's business.
  const texts = files.map(({ file, title }) => ({
    name: path.basename(title),
    text: isLink(file) ? file : readText(file),
  }));
  const page = await orBadFile(() =>
    pageOf(template, texts, {
      isBlank: redactContent === true,
      ...(limit === undefined ? {} : { mostBytes: bytesOf(limit) }),
      all: `crucible tardis serve ${names.join(" ")}`,
    }),
  );
  for (const problem of page.run.problems) remark(`not read: ${problemText(problem)}`);
  return page;
}

/** @throws HarnessError BAD_FILE when nothing is left */
function shareable(files: readonly Found[], { disclose }: ExportOptions): readonly Found[] {
  const kept = disclose === true ? files : files.filter(({ file }) => !isSensitive(file));
  const withheld = files.length - kept.length;
  if (withheld > 0)
    remark(`${withheld} recordings of sensitive checks are left out; --disclose takes them in`);
  if (kept.length > 0) return kept;
  throw new HarnessError("BAD_FILE", {
    what: "there is nothing to export",
    next:
      withheld > 0
        ? "--disclose, when it is for the maintainers of the server alone"
        : "name files; a run keeps the rooms of failed checks, or with --record all of all of them",
  });
}

function linkOf(link: string): Found {
  return { file: link, title: "link" };
}

function sizeOf({ run, kept, html }: Page): string {
  const events = kept < run.pdus.length ? `${kept} of ${run.pdus.length}` : String(run.pdus.length);
  return `${events} events, ${Math.ceil(html.length / 1024)} KiB`;
}

/** @throws HarnessError BAD_USAGE */
function bytesOf(limit: string): number {
  const mebibytes = Number(limit);
  if (Number.isFinite(mebibytes) && mebibytes > 0) return mebibytes * 1024 ** 2;
  throw new HarnessError("BAD_USAGE", {
    what: `--limit is ${limit}`,
    next: "so many MiB, above 0",
  });
}
