/** What a page holds of files: without secrets, on request without what people wrote, and not more than pages bear. */
import { blankRun } from "#tardis/formats/blank";
import { cutRun } from "#tardis/formats/cut";
import { recognise } from "#tardis/formats/detect";
import { type FileText, loadRun } from "#tardis/formats/load";
import { scrubReplay } from "#tardis/formats/secrets";
import { writeRun } from "#tardis/formats/write";
import type { Run } from "#tardis/model/run";
import { failingMoment, fragmentOf } from "#tardis/view/failing-moment";
import { packed, pageAround } from "./page.ts";

export interface PageOptions {
  /** Takes out what people wrote. */
  readonly isBlank?: boolean;
  /** Bytes of the data, compressed: 20 MiB unless given. */
  readonly mostBytes?: number;
  /** The command that shows all of it, for who has a part. */
  readonly all: string;
}

export interface Page {
  readonly html: string;
  readonly run: Run;
  /** Of the page's address, to open it at the failure; empty where there is none. */
  readonly fragment: string;
  /** How many events it holds. */
  readonly kept: number;
}

const MOST_BYTES = 20 * 1024 ** 2;
const IN_BASE64 = 4 / 3;
/** Formats of files that hold events alone, which stay as they are. */
const PLAIN: ReadonlySet<string> = new Set(["room", "scenario", "dag"]);
const REPLAY = /^\s*\{[^\n]*"format"\s*:\s*"mx-replay"/;
/** What is left of a window that was still too large. */
const SHRINK = 0.7;

/** @throws RunError when nothing can be used, or there is too much */
export async function pageOf(
  template: string,
  files: readonly FileText[],
  { isBlank = false, mostBytes = MOST_BYTES, all }: PageOptions,
): Promise<Page> {
  const run = await loadRun(files);
  const whole = isBlank ? inOne(files, blankRun(run)) : withoutSecrets(files, run);
  const most = mostBytes * IN_BASE64;
  let data = packed(whole);
  let kept = run.pdus.length;
  const moment = failingMoment(run);
  const row = moment?.row ?? run.pdus.length - 1;
  for (let size = run.pdus.length; data.length > most && size > 1; ) {
    size = Math.max(1, Math.floor(size * Math.min(SHRINK, most / data.length)));
    const cut = cutRun(run, { row, size, all });
    data = packed(inOne(files, isBlank ? blankRun(cut) : cut));
    kept = size;
  }
  const fragment = moment === undefined ? "" : fragmentOf(run, moment);
  return { html: pageAround(template, data), run, fragment, kept };
}

function withoutSecrets(files: readonly FileText[], run: Run): readonly FileText[] {
  const isPlain = ({ name, text }: FileText) =>
    /^https?:\S+#/.test(text) || PLAIN.has(recognise(name, text).format);
  // Traffic in formats of others has headers and bodies that are not for everybody, and it is not known where.
  return files.every((file) => REPLAY.test(file.text) || isPlain(file))
    ? files.map(({ name, text }) => ({ name, text: scrubReplay(text) }))
    : inOne(files, run);
}

function inOne([first, ...others]: readonly FileText[], run: Run): readonly FileText[] {
  const name = others.length === 0 ? (first?.name ?? "") : `${1 + others.length} files`;
  return [{ name, text: scrubReplay(writeRun(run, "replay")) }];
}
