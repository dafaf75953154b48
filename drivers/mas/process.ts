/** MAS as a child process, with a PostgreSQL of its own. */
import { serve } from "#drivers/substrates/process/served";
import type { AuthStartContext, RunningAuthService } from "#harness/deployment/auth-contract";
import { binaryOf, versionOf } from "./binary.ts";
import { HEALTH, prepare } from "./prepared.ts";

export async function startProcess(context: AuthStartContext): Promise<RunningAuthService> {
  const { program, share } = binaryOf(context.spec);
  const version = await versionOf(program);
  await using started = new AsyncDisposableStack();
  const prepared = started.use(await prepare(context, share));
  const { child, capabilities } = await serve(context, {
    command: program,
    args: ["server", "--config", prepared.configuration],
    cwd: context.workFolder,
    env: { NO_COLOR: "1" },
    address: prepared.health,
    path: HEALTH,
  });
  started.defer(() => child.kill());
  return prepared.running(`MAS ${version}`, capabilities, started);
}
