/** A pod's log, appended to a file of this machine as it comes. */
import { createWriteStream } from "node:fs";
import type { Api } from "./client.ts";
import { podName } from "./cluster.ts";

export interface FollowedLog {
  readonly stop: () => void;
}

/** From its pod's beginning to its end, or until it is stopped. A pod that is made anew is to be followed anew. */
export async function followLog(
  { library, config }: Api,
  { namespace, name, container }: { namespace: string; name: string; container: string },
  file: string,
): Promise<FollowedLog> {
  const sink = createWriteStream(file, { flags: "a" });
  // A full disk, or a cluster that goes away, must not end the run.
  sink.on("error", () => undefined);
  // The client leaves what it reads from without a listener: an end that is asked for would then be an uncaught error.
  sink.on("pipe", (source) => source.on("error", () => sink.end()));
  const log = new library.Log(config);
  try {
    const options = { follow: true };
    const following = await log.log(namespace, podName(name), container, sink, options);
    return { stop: () => following.abort() };
  } catch {
    sink.end();
    return { stop: () => undefined };
  }
}
