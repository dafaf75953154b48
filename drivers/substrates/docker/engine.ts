/** The container engine: `DOCKER_HOST`, or the local socket. */
import Docker from "dockerode";
import { describe, HarnessError } from "#harness/errors";
import { registryId } from "#harness/runs/registry";

/** On every container and network of ours; its value is the run's id. */
export const RUN_LABEL = "org.matrix-crucible.run";
/** Whose run it is: an engine may serve several machines and users, and only they know which of theirs are dead. */
const REGISTRY_LABEL = "org.matrix-crucible.registry";

export function labelsOf(runId: string): Record<string, string> {
  return { [RUN_LABEL]: runId, [REGISTRY_LABEL]: registryId() };
}

/**
 * The engine, once it has answered.
 *
 * @throws HarnessError NO_DOCKER
 */
export async function connectEngine(): Promise<Docker> {
  // Made for each caller: a client whose engine was restarted keeps dead sockets.
  const docker = new Docker();
  try {
    await docker.ping();
  } catch (cause) {
    throw new HarnessError("NO_DOCKER", {
      what: "no container engine answers",
      facts: [`DOCKER_HOST is ${process.env.DOCKER_HOST ?? "not set"}`, describe(cause)],
      next: "start Docker or Podman, or set DOCKER_HOST; --hs process:synapse needs no engine",
      cause,
    });
  }
  return docker;
}

/**
 * Makes sure that the image is there, by pulling it when it is not.
 *
 * @throws HarnessError NO_IMAGE
 */
export async function ensureImage(
  docker: Docker,
  image: string,
  progress: (line: string) => void,
): Promise<void> {
  if (await hasImage(docker, image)) return;
  progress(`pulling ${image} (once)`);
  try {
    await progressOf(docker, await docker.pull(image), () => undefined);
  } catch (cause) {
    throw new HarnessError("NO_IMAGE", {
      what: `the image ${image} is not there and can not be pulled`,
      facts: [describe(cause).split("\n")[0] ?? ""],
      next: await nextFor(docker, image),
      cause,
    });
  }
}

/**
 * Follows a pull or a build to its end. What goes wrong half way is an entry of the stream, not a failed request.
 *
 * @param onLine called with each line of output
 */
export async function progressOf(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  onLine: (line: string) => void,
): Promise<void> {
  let failure: string | undefined;
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error === null ? resolve() : reject(error)),
      (entry: { stream?: string; error?: string }) => {
        failure ??= entry.error;
        for (const line of (entry.stream ?? "").split("\n")) if (line.trim() !== "") onLine(line);
      },
    );
  });
  if (failure !== undefined) throw new Error(failure);
}

export async function hasImage(docker: Docker, image: string): Promise<boolean> {
  try {
    await docker.getImage(image).inspect();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function nextFor(docker: Docker, image: string): Promise<string> {
  const known = (await docker.listImages().catch(() => []))
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((tag) => !tag.startsWith("<none>"));
  const near = known.filter((tag) => tag.split(":")[0] === image.split(":")[0]);
  const hint = near.length === 0 ? "" : `, or use one that is there: ${near.join(", ")}`;
  return `build it or check its name${hint}`;
}

/** True when the engine says that there is no such thing. */
function isNotFound(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

/**
 * Removes containers and networks of runs of this registry that are dead; tells what it removed, one line each. Without an engine there
 * is nothing to remove.
 */
export async function sweepEngine(isDead: (runId: string) => boolean): Promise<readonly string[]> {
  const docker = new Docker();
  const filters = { label: [`${REGISTRY_LABEL}=${registryId()}`] };
  const removed: string[] = [];
  let containers: Docker.ContainerInfo[];
  try {
    containers = await docker.listContainers({ all: true, filters });
  } catch {
    return removed;
  }
  const dead = ({ Labels }: { Labels?: Record<string, string> | undefined }) =>
    isDead(Labels?.[RUN_LABEL] ?? "");
  await Promise.all(
    containers.filter(dead).map(async ({ Id, Names }) => {
      await removeContainer(docker, Id);
      removed.push(`container ${(Names[0] ?? Id).replace(/^\//, "")}`);
    }),
  );
  const networks = await docker.listNetworks({ filters });
  await Promise.all(
    networks.filter(dead).map(async ({ Id, Name }) => {
      await removeNetwork(docker, Id);
      removed.push(`network ${Name}`);
    }),
  );
  return removed.sort();
}

/** With its anonymous volumes; no error when it is gone. */
export async function removeContainer(docker: Docker, id: string): Promise<void> {
  await ignoreGone(docker.getContainer(id).remove({ force: true, v: true }));
}

export async function removeNetwork(docker: Docker, id: string): Promise<void> {
  await ignoreGone(docker.getNetwork(id).remove());
}

async function ignoreGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    // 409: another sweep is removing it.
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== 404 && statusCode !== 409) throw error;
  }
}
