/** A small file system of its own for one server's data, so that it can be full. */
import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
import path from "node:path";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";

export interface SmallDisk extends AsyncDisposable {
  /** Writes until nothing more fits. */
  readonly fill: () => Promise<void>;
  readonly free: () => Promise<void>;
}

/** Bytes of one write, and of the last ones. */
const PIECES = [1024 * 1024, 4096];

/**
 * Mounts a tmpfs on the folder, which stays mounted until it is disposed; a run that was killed is swept of it.
 *
 * @throws HarnessError BAD_CONFIG when this account may not mount.
 */
export async function mountSmallDisk(folder: string, bytes: number): Promise<SmallDisk> {
  const options = `size=${bytes},mode=0711`;
  const { code, output } = await runCommand("mount", [
    ...["-t", "tmpfs", "-o", options],
    ...["crucible", folder],
  ]);
  if (code !== 0) {
    throw new HarnessError("BAD_CONFIG", {
      what: "no disk of a limited size can be mounted",
      facts: output.split("\n").filter((line) => line !== ""),
      next: "run as root on Linux, or leave out the option disk",
    });
  }
  const ballast = path.join(folder, "ballast");
  return {
    fill: async () => {
      const { O_CREAT, O_WRONLY, O_APPEND } = constants;
      const file = await open(ballast, O_CREAT | O_WRONLY | O_APPEND, 0o600);
      try {
        for (const size of PIECES) await writeUntilFull(file, Buffer.alloc(size));
      } finally {
        await file.close();
      }
    },
    free: () => rm(ballast, { force: true }),
    [Symbol.asyncDispose]: async () => {
      // Lazily: what still holds it open is about to end.
      await runCommand("umount", ["-l", folder]);
    },
  };
}

async function writeUntilFull(
  file: { write: (piece: Buffer) => Promise<{ bytesWritten: number }> },
  piece: Buffer,
): Promise<void> {
  try {
    while ((await file.write(piece)).bytesWritten > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
