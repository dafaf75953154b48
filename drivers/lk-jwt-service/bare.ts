/** The service without the list of servers whose users may make rooms, which it needs by its README. */
import { Child, tailFile } from "#drivers/substrates/process/child";
import type { Program, ServeContext } from "#drivers/substrates/process/served";
import { waitUntilReady } from "#drivers/substrates/ready";

/** How it has ended, or `serves`; it has been ended then. @throws HarnessError when it neither serves nor ends */
export async function startBare(
  context: ServeContext,
  { env, address, path = "/", ...command }: Program,
): Promise<string> {
  const { role, runId, logFile, signal, startTimeoutMs: timeoutMs } = context;
  const { LIVEKIT_FULL_ACCESS_HOMESERVERS: _, ...rest } = env;
  const child = new Child({
    ...command,
    env: { ...rest, CRUCIBLE_RUN: runId },
    logFile,
    onSpawn: context.registerProcess,
    onUnexpectedExit: () => undefined,
  });
  await child.start();
  const { exit } = child;
  const tail = () => tailFile(logFile, 20);
  try {
    const ready = { role, path, address: () => address, timeoutMs, signal, exit, tail };
    await waitUntilReady(ready);
    return "serves";
  } catch (error) {
    if (child.isRunning) throw error;
    return await exit;
  } finally {
    await child.kill();
  }
}
