/** `crucible tardis live`: what a source tells of a room, as a replay: on standard output, in a file, on a page. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { remark } from "#cli/io";
import { harnessVersion } from "#cli/run/session";
import { Feed } from "#cli/tardis/feed";
import { openLiveSite } from "#cli/tardis/live-site";
import { portOf } from "#cli/tardis/loopback";
import { writing } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import { Recorder } from "./recorder.ts";
import type { Source, Wanted } from "./source.ts";

export interface RecordOptions {
  readonly room: string;
  readonly output?: string;
  /** Port, or a free one. */
  readonly serve?: string | true;
  readonly once?: true;
  readonly limit: string;
  readonly every: string;
}

/** Until the source has told all, or Ctrl-C. @param open asks what has to be known first. */
export async function record(
  options: RecordOptions,
  open: (wanted: Wanted) => Promise<Source>,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  const { room, output, serve, once } = options;
  const wanted: Wanted = {
    room,
    limit: wholeNumber("--limit", options.limit),
    everyMs: wholeNumber("--every", options.every) * 1000,
    isOnce: once === true,
    signal: ended.signal,
  };
  const port = serve === undefined ? undefined : portOf(serve === true ? "0" : serve);
  await using resources = new AsyncDisposableStack();
  const source = await open(wanted);
  if (source.close !== undefined) resources.defer(source.close);
  const feed = port === undefined ? undefined : resources.use(new Feed());
  const write = writerOf(output, feed !== undefined, resources);
  const recorder = new Recorder(
    { room, version: source.version, title: source.title, tool: `crucible ${harnessVersion()}` },
    (line) => {
      write.line(line);
      feed?.stir();
    },
  );
  if (feed !== undefined && port !== undefined && write.file !== undefined) {
    feed.begin(source.title, write.file);
    const site = resources.use(await openLiveSite({ feed, port }));
    remark(`watch: ${site.url}`);
  }
  try {
    await source.run(recorder);
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  }
  remark(`${recorder.size} events${output === undefined ? "" : ` in ${output}`}`);
  if (feed !== undefined && !ended.signal.aborted) {
    remark("all is told; Ctrl-C ends the page");
    await new Promise<void>((resolve) => {
      ended.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

interface Writer {
  readonly file: string | undefined;
  readonly line: (line: string) => void;
}

/** A page is told from a file: one that is forgotten, unless one is named. */
function writerOf(
  output: string | undefined,
  isServed: boolean,
  resources: AsyncDisposableStack,
): Writer {
  if (output === undefined && !isServed)
    return { file: undefined, line: (line) => process.stdout.write(line) };
  let file = output;
  if (file === undefined) {
    const folder = mkdtempSync(path.join(tmpdir(), "crucible-live-"));
    resources.defer(() => rmSync(folder, { recursive: true, force: true }));
    file = path.join(folder, "room.replay.ndjson");
  }
  const named = file;
  return writing(named, "name a file in a folder that exists", () => {
    const descriptor = openSync(named, "w", 0o600);
    resources.defer(() => closeSync(descriptor));
    return { file: named, line: (line) => void writeSync(descriptor, line) };
  });
}

function wholeNumber(flag: string, given: string): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new HarnessError("BAD_USAGE", {
    what: `${flag} is ${given}`,
    next: "a whole number from 1",
  });
}
