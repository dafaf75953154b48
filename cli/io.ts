/** Everything the command prints goes through here: facts to standard output, remarks to standard error. */
import pico from "picocolors";

/** A reader that has seen enough (`crucible list | head`) is no trouble: what it does not take is dropped. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

/** Colours only for a terminal, off with NO_COLOR (https://no-color.org). */
export const colour = pico.createColors(
  process.stdout.isTTY === true &&
    process.env.NO_COLOR === undefined &&
    process.env.TERM !== "dumb",
);

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function remark(line: string): void {
  process.stderr.write(`${line}\n`);
}
