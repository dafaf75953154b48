/** The rooms of checks as replay files: collected while the run goes on, written when the traces are whole; of failures pages. */
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Deployment } from "#harness/deployment/deployment";
import { describe } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import { composeReplay, type ReplaySource } from "#harness/replay/compose";
import { type CheckEvidence, REPLAY_SUFFIX } from "#harness/replay/record";
import { PAGES, type ReplayPage, type ReplayPages } from "#harness/results/replays";
import { harnessVersion } from "./session.ts";

export interface RecordingsOptions {
  /** Run directory. */
  readonly folder: string;
  readonly run: string;
  readonly seed: number;
  /** Whether how this requirement is missed is not for everybody. */
  readonly isSensitive: (requirement: string) => boolean;
  readonly onProblem: (line: string) => void;
}

interface Recording {
  readonly name: string;
  readonly evidence: CheckEvidence;
  readonly traceFile: string;
  readonly servers: ReplaySource["servers"];
}

const FOLDER = "replay";
/** A run in which everything fails should not fill the disk with what failed alike. */
const MAX_RECORDINGS = 500;
const MAX_PAGES = 100;
/** For who owns the run alone: sensitive failures are among them. */
const MODE = 0o600;

export class Recordings implements AsyncDisposable {
  readonly #options: RecordingsOptions;
  readonly #recordings: Recording[] = [];
  readonly #count = new Map<string, number>();
  readonly #expected = new Set<string>();
  readonly #pages = new Map<string, ReplayPage>();
  #isFullTold = false;

  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  /** By recording, within the run directory. Full once all is written. */
  get pages(): ReplayPages {
    return this.#pages;
  }

  /** Returns the path of the file to be, within the run directory; undefined when there are enough. */
  add(evidence: CheckEvidence, deployment: Deployment): string | undefined {
    if (this.#recordings.length >= MAX_RECORDINGS) {
      if (!this.#isFullTold)
        this.#options.onProblem(`no more than ${MAX_RECORDINGS} checks are kept as replay files`);
      this.#isFullTold = true;
      return undefined;
    }
    const { requirement } = evidence;
    const number = (this.#count.get(requirement) ?? 0) + 1;
    this.#count.set(requirement, number);
    const name = `${FOLDER}/${requirement}-${number}${REPLAY_SUFFIX}`;
    const servers = deployment.facts.servers.map((facts) => ({
      ...facts,
      serverName: deployment.server(facts.role).server.serverName,
    }));
    this.#recordings.push({ name, evidence, servers, traceFile: deployment.traceFile });
    return name;
  }

  /** Nobody waits for the page of this one. */
  expectFailure(name: string): void {
    this.#expected.add(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#recordings.length === 0) return;
    try {
      mkdirSync(path.join(this.#options.folder, FOLDER), { recursive: true });
      const byTrace = Map.groupBy(this.#recordings, ({ traceFile }) => traceFile);
      const failed: (readonly [Recording, string])[] = [];
      for (const [traceFile, recordings] of byTrace) {
        const rooms = recordings.flatMap(({ evidence }) => evidence.rooms);
        const exchanges = await exchangesAbout(
          traceFile,
          rooms.map(({ roomId }) => roomId),
        );
        for (const recording of recordings) {
          const text = this.#write(recording, exchanges);
          if (text !== undefined && !recording.evidence.isPassed) failed.push([recording, text]);
        }
      }
      const isExpected = ([{ name }]: readonly [Recording, string]) => this.#expected.has(name);
      await this.#writePages(
        failed.toSorted((a, b) => Number(isExpected(a)) - Number(isExpected(b))),
      );
      if (this.#pages.size === 0) return;
      const pages = JSON.stringify(Object.fromEntries(this.#pages), null, 1);
      writeFileSync(path.join(this.#options.folder, PAGES), `${pages}\n`);
    } catch (error) {
      this.#options.onProblem(`replay files are missing: ${describe(error)}`);
      for (const { name } of this.#recordings)
        if (!this.#pages.has(name)) this.#pages.set(name, { note: `none: ${describe(error)}` });
    }
  }

  /** Undefined: it could not be written. */
  #write(
    { name, evidence, servers }: Recording,
    exchanges: ReadonlyMap<string, readonly Exchange[]>,
  ): string | undefined {
    const { folder, run, seed, isSensitive, onProblem } = this.#options;
    try {
      const own = evidence.rooms.flatMap(({ roomId }) => exchanges.get(roomId) ?? []);
      const records = composeReplay({
        evidence,
        servers,
        run,
        seed,
        exchanges: [...new Set(own)],
        tool: `crucible ${harnessVersion()}`,
        isSensitive: isSensitive(evidence.requirement),
      });
      const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      writeFileSync(path.join(folder, name), text, { mode: MODE });
      return text;
    } catch (error) {
      onProblem(`${name} is missing: ${describe(error)}`);
      this.#pages.set(name, { note: `none: ${describe(error)}` });
      return undefined;
    }
  }

  async #writePages(failed: readonly (readonly [Recording, string])[]): Promise<void> {
    if (failed.length === 0) return;
    const { folder, onProblem } = this.#options;
    // A run that goes well needs none of it.
    const { ReplayPageWriter, withoutPage } = await import("#cli/tardis/replay-page");
    const writer = new ReplayPageWriter();
    for (const [at, [{ name }, text]] of failed.entries()) {
      const file = path.join(folder, name);
      const { page, fragment, note } =
        at < MAX_PAGES
          ? await writer.write(file, text)
          : withoutPage(file, `a run has no more than ${MAX_PAGES}`);
      if (page !== undefined && fragment !== undefined) {
        this.#pages.set(name, { page: path.relative(folder, page), fragment });
        continue;
      }
      if (at < MAX_PAGES) onProblem(`${name}: ${note}`);
      this.#pages.set(name, { ...(note === undefined ? {} : { note }) });
    }
  }
}

/** Federated exchanges of a trace that name a room, by room id. */
async function exchangesAbout(
  file: string,
  rooms: readonly string[],
): Promise<ReadonlyMap<string, readonly Exchange[]>> {
  const found = new Map<string, Exchange[]>(rooms.map((room) => [room, []]));
  const lines = createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    if (!line.includes('"path":"/_matrix/federation/')) continue;
    const named = rooms.filter(
      (room) => line.includes(room) || line.includes(encodeURIComponent(room)),
    );
    if (named.length === 0) continue;
    const exchange = JSON.parse(line) as Exchange;
    for (const room of named) found.get(room)?.push(exchange);
  }
  return found;
}
