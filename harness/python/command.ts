import { spawn } from "node:child_process";

export interface CommandResult {
  readonly code: number | undefined;
  /** Standard output and error, as they came. */
  readonly output: string;
}

/** Runs a command to its end; never throws, a missing program is code undefined. Lines go to `onLine` as they come. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: {
    env?: Readonly<Record<string, string>>;
    signal?: AbortSignal;
    onLine?: (line: string) => void;
    account?: { readonly uid: number; readonly gid: number };
  } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...options.account,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let output = "";
    const collect = (chunk: Buffer) => {
      output += chunk;
      for (const line of chunk.toString().split("\n")) if (line !== "") options.onLine?.(line);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.once("error", (error) =>
      resolve({ code: undefined, output: `${output}${error.message}` }),
    );
    child.once("close", (code) => resolve({ code: code ?? undefined, output }));
  });
}
