/** The command line in the process of a spec: a process of its own would take a second to start. */
import { vi } from "vitest";
import { describe } from "#harness/errors";
import { main } from "./main.ts";
import { exitCodeOf } from "./trouble.ts";

export interface Ended {
  readonly stdout: string;
  /** With the error that it ended with. */
  readonly stderr: string;
  /** Both, in the order in which they were printed. */
  readonly printed: string;
  readonly code: number;
  /** What it threw; undefined when it came to its end. */
  readonly error: unknown;
}

/** What a command prints and how it ends. The exit code of the spec's own process stays what it was. */
export async function runMain(...args: readonly string[]): Promise<Ended> {
  const output = { stdout: "", stderr: "", printed: "" };
  const exitCodeBefore = process.exitCode;
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      output[name] += chunk;
      output.printed += chunk;
      return true;
    }),
  );
  process.exitCode = 0;
  try {
    await main(args);
    return { ...output, code: Number(process.exitCode), error: undefined };
  } catch (error) {
    const stderr = output.stderr + describe(error);
    return { ...output, stderr, code: exitCodeOf(error), error };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = exitCodeBefore;
  }
}
