/** The rooms of checks as replay files: collected while the run goes on, written when the traces are whole. */
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Deployment } from "#harness/deployment/deployment";
import { describe } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import { composeReplay, type ReplaySource } from "#harness/replay/compose";
import { REPLAY_SUFFIX, type RoomEvidence } from "#harness/replay/record";
import { harnessVersion } from "./session.ts";

export interface RecordingsOptions {
  /** Run directory. */
  readonly folder: string;
  readonly run: string;
  readonly seed: number;
  readonly onProblem: (line: string) => void;
}

interface Recording {
  readonly name: string;
  readonly evidence: RoomEvidence;
  readonly traceFile: string;
  readonly servers: ReplaySource["servers"];
}

const FOLDER = "replay";
/** A run in which everything fails should not fill the disk with what failed alike. */
const MAX_RECORDINGS = 500;

export class Recordings implements AsyncDisposable {
  readonly #options: RecordingsOptions;
  readonly #recordings: Recording[] = [];
  readonly #count = new Map<string, number>();
  #isFullTold = false;

  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  /** Returns the path of the file to be, within the run directory; undefined when there are enough. */
  add(evidence: RoomEvidence, deployment: Deployment): string | undefined {
    if (this.#recordings.length >= MAX_RECORDINGS) {
      if (!this.#isFullTold)
        this.#options.onProblem(`no more than ${MAX_RECORDINGS} rooms are kept as replay files`);
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

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#recordings.length === 0) return;
    try {
      mkdirSync(path.join(this.#options.folder, FOLDER), { recursive: true });
      const byTrace = Map.groupBy(this.#recordings, ({ traceFile }) => traceFile);
      for (const [traceFile, recordings] of byTrace) {
        const rooms = recordings.map(({ evidence }) => evidence.roomId);
        const exchanges = await exchangesAbout(traceFile, rooms);
        for (const recording of recordings) this.#write(recording, exchanges);
      }
    } catch (error) {
      this.#options.onProblem(`replay files are missing: ${describe(error)}`);
    }
  }

  #write(
    { name, evidence, servers }: Recording,
    exchanges: ReadonlyMap<string, readonly Exchange[]>,
  ): void {
    const { folder, run, seed, onProblem } = this.#options;
    try {
      const records = composeReplay({
        evidence,
        servers,
        run,
        seed,
        exchanges: exchanges.get(evidence.roomId) ?? [],
        tool: `crucible ${harnessVersion()}`,
      });
      const lines = records.map((record) => `${JSON.stringify(record)}\n`);
      writeFileSync(path.join(folder, name), lines.join(""), { mode: 0o600 });
    } catch (error) {
      onProblem(`${name} is missing: ${describe(error)}`);
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
