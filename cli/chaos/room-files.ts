/** Rooms of a story that a checker has found something about, as DAG files beside its journal. */
import { writeFileSync } from "node:fs";
import { rerunAll } from "#chaos/checkers/rerun";
import { JournalView } from "#chaos/journal/view";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import type { Story } from "./storyteller.ts";

export interface RoomFile {
  readonly file: string;
  readonly room: string;
  readonly epoch: number;
  readonly checker: string;
  /** `protocol`: what the file holds comes to the same without servers. `server`: only servers come to it. */
  readonly matter: "protocol" | "server";
  readonly why: string;
}

export function writeRooms({ told, records, journal }: Story): readonly RoomFile[] {
  const view = new JournalView(records);
  return told.epochs.flatMap(({ number, verdicts }) =>
    rerunAll(view, number, verdicts).map(({ dag, ...rerun }) => {
      const name = `epoch-${number}.${rerun.checker}.${rerun.room.replace(/[^A-Za-z0-9-]/g, "_")}`;
      const file = `${journal.replace(/\.replay\.ndjson$/, "")}.${name}.dag.json`;
      writeFileSync(file, `${JSON.stringify(writeDagFile(dag), null, 1)}\n`);
      return { file, epoch: number, ...rerun };
    }),
  );
}

export function roomLines(rooms: readonly RoomFile[]): readonly string[] {
  return rooms.map(
    ({ checker, room, matter, why, file }) =>
      `${checker} in ${room}, a matter of the ${matter}: ${why}; crucible resolve ${file}`,
  );
}
