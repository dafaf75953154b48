/** Files that the commands of the viewer read and write. */
import { readFileSync, writeFileSync } from "node:fs";
import { writing } from "#cli/writing";
import { describe, HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { ROOM_VERSIONS, type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { loadRun } from "#tardis/formats/load";
import { RunError } from "#tardis/model/problem";
import type { Run } from "#tardis/model/run";

/** @throws HarnessError BAD_FILE with what can not be read, and where */
export async function openFiles(
  names: readonly string[],
  version: RoomVersion | undefined,
): Promise<Run> {
  return await orBadFile(() =>
    loadRun(
      names.map((name) => ({ name, text: isLink(name) ? name : readText(name) })),
      { version },
    ),
  );
}

/** What a reader refuses, as the command tells it. */
export async function orBadFile<Result>(run: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof RunError)) throw cause;
    throw new HarnessError("BAD_FILE", {
      what: cause.message,
      next: "docs/dag-format.md and docs/replay-format.md describe the formats",
      cause,
    });
  }
}

/** @throws HarnessError BAD_FILE */
export function readText(name: string): string {
  try {
    return readFileSync(name, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${name} can not be read`,
      facts: [describe(cause)],
      next: "check the path",
      cause,
    });
  }
}

/** A share link may stand where a file does. */
export function isLink(name: string): boolean {
  return /^https?:\/\/\S+#/.test(name);
}

export function writeTo(name: string, text: string): void {
  writing(name, "name a file in a folder that exists", () => writeFileSync(name, text));
}

/** @throws HarnessError BAD_USAGE */
export function knownVersion(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version !== undefined) return version;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no room version ${id}`,
    next: didYouMean(id, [...ROOM_VERSIONS.keys()]),
  });
}
