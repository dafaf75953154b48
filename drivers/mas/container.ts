/** MAS from an image such as the official one, with a PostgreSQL that is a process of this machine. */
import { serveContainer } from "#drivers/substrates/docker/served";
import type { AuthStartContext, RunningAuthService } from "#harness/deployment/auth-contract";
import { HEALTH, prepare } from "./prepared.ts";

const CONFIGURATION = "/etc/mas/mas.yaml";

export async function startContainer(context: AuthStartContext): Promise<RunningAuthService> {
  const image = context.spec.image ?? "";
  await using started = new AsyncDisposableStack();
  const prepared = started.use(await prepare(context));
  const container = started.use(
    await serveContainer(context, {
      image,
      args: ["server", "--config", CONFIGURATION],
      configuration: prepared.configuration,
      target: CONFIGURATION,
      env: ["NO_COLOR=1"],
      address: prepared.health,
      path: HEALTH,
    }),
  );
  return prepared.running(`MAS of ${image}`, container.capabilities, started);
}
