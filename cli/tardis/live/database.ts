/**
 * Synapse's own database, read only: what the server has of a room, in the order in which it came, with what was rejected and
 * soft-failed. SQLite is read here; PostgreSQL by `psql`, which takes where and who from its own environment (PGHOST, PGUSER,
 * PGPASSFILE, PGSERVICE, …).
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { ROOT } from "#cli/run/session";
import { describe, HarnessError } from "#harness/errors";
import { at } from "#harness/match/json";
import { isObject, type JsonObject } from "#protocol/events/event";
import { synapseVerdict, synapseVia } from "#tardis/formats/synapse-export";
import { parseJson } from "#tardis/model/json";
import type { Recorder } from "./recorder.ts";
import { knownVersion, pause, type Source, type Wanted } from "./source.ts";

export interface Database {
  /** Path of a file; undefined: PostgreSQL, as the environment says. */
  readonly file: string | undefined;
  readonly serverName: string;
}

const QUERIES = path.join(ROOT, "scenarios/stories/rooms");
const MOST_BYTES = 1024 * 1024 * 1024;
/** So long the server may be writing. */
const BUSY_MS = 5_000;

/** @throws HarnessError */
export async function databaseSource(database: Database, wanted: Wanted): Promise<Source> {
  const read = await readerOf(database, wanted.room);
  const rows = await read();
  const [first] = rows;
  if (first === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `the database has no event of ${wanted.room}`,
      next: "check the room id",
    });
  }
  const version = knownVersion(String(first.room_version));
  return {
    version,
    title: `${wanted.room} as the database of ${database.serverName} has it`,
    run: async (recorder) => {
      recorder.server(database.serverName, "Synapse");
      const leftOut = new Set(rows.slice(0, -wanted.limit).map(({ event_id: id }) => id));
      tell(recorder, database.serverName, rows.slice(-wanted.limit));
      while (!wanted.isOnce && !wanted.signal.aborted) {
        await pause(wanted.everyMs, wanted.signal);
        if (wanted.signal.aborted) return;
        const now = await read();
        const taken = now.filter(({ event_id: id }) => !leftOut.has(id));
        tell(recorder, database.serverName, taken);
      }
    },
  };
}

/** What was told before is not told again: a recorder takes each event and each verdict once. */
function tell(recorder: Recorder, server: string, rows: readonly JsonObject[]): void {
  for (const row of rows) {
    const { event_id: id, received_ts: received } = row;
    recorder.event(
      row.pdu,
      {
        server,
        via: synapseVia(row),
        at: typeof received === "number" ? received : undefined,
        ...synapseVerdict(row),
      },
      typeof id === "string" ? id : undefined,
    );
  }
}

async function readerOf(
  { file, serverName }: Database,
  room: string,
): Promise<() => Promise<readonly JsonObject[]>> {
  const kind = file === undefined ? "postgres" : "sqlite";
  const name = path.join(QUERIES, `synapse-export.${kind}.sql`);
  if (file === undefined) return () => askPsql(name, serverName, room);
  if (!existsSync(file)) {
    throw new HarnessError("BAD_FILE", { what: `there is no ${file}`, next: "check the path" });
  }
  const { DatabaseSync } = await sqlite();
  const query = readFileSync(name, "utf8");
  return async () => {
    try {
      using database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
      const rows = database.prepare(query).all({ room, server: serverName });
      return rows.map((row) => rowOf(String(Object.values(row)[0])));
    } catch (cause) {
      throw new HarnessError("BAD_FILE", {
        what: `${file} can not be read: ${describe(cause)}`,
        next: "name the SQLite database of a Synapse",
        cause,
      });
    }
  };
}

/** Said to be experimental by Node 22 and 24, which is no news to who uses the command. */
async function sqlite(): Promise<typeof import("node:sqlite")> {
  const warn = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    return await import("node:sqlite");
  } finally {
    process.emitWarning = warn;
  }
}

async function askPsql(file: string, server: string, room: string): Promise<readonly JsonObject[]> {
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const variables = [`room=${quoted(room)}`, `server=${quoted(server)}`];
  const args = ["-XAt", "-v", "ON_ERROR_STOP=1", ...variables.flatMap((one) => ["-v", one])];
  try {
    const { stdout } = await promisify(execFile)("psql", [...args, "-f", file], {
      maxBuffer: MOST_BYTES,
    });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map(rowOf);
  } catch (cause) {
    throw new HarnessError("BAD_USAGE", {
      what: "psql gave no rows",
      facts: [String(at(cause, "stderr") ?? describe(cause)).slice(0, 500)],
      next: "PGHOST, PGDATABASE, PGUSER, PGPASSFILE tell psql where to ask and as whom",
      cause,
    });
  }
}

function rowOf(text: string): JsonObject {
  const row = parseJson(text);
  return isObject(row) ? row : {};
}
