/** What can be done to a server's process and surroundings, by name. */
import { HarnessError } from "#harness/errors";
import type { ServerCapabilities } from "./contract.ts";

export type ServerAction =
  | "kill"
  | "pause"
  | "resume"
  | "restart"
  | "stop"
  | "start"
  | "restart-database"
  | "fill-disk"
  | "free-disk"
  | "disconnect"
  | "reconnect"
  | "snapshot"
  | "rollback";

/** A server keeps one copy of its data at a time. */
const COPY = "copy";

/** Undefined: its driver can not do it. */
export function actionOn(
  { capabilities }: { readonly capabilities: ServerCapabilities },
  action: ServerAction,
): (() => Promise<void>) | undefined {
  const { killable, pausable, restartable, stoppable, hasDatabase, fillsDisk, leavesNetwork } =
    capabilities;
  const { snapshotsData } = capabilities;
  switch (action) {
    case "kill":
      return killable && (() => killable.kill());
    case "pause":
      return pausable && (() => pausable.pause());
    case "resume":
      return pausable && (() => pausable.resume());
    case "restart":
      return restartable && (() => restartable.restart());
    case "stop":
      return stoppable && (() => stoppable.stop());
    case "start":
      return stoppable && (() => stoppable.start());
    case "restart-database":
      return hasDatabase && (() => hasDatabase.restartDatabase());
    case "fill-disk":
      return fillsDisk && (() => fillsDisk.fill());
    case "free-disk":
      return fillsDisk && (() => fillsDisk.free());
    case "disconnect":
      return leavesNetwork && (() => leavesNetwork.disconnect());
    case "reconnect":
      return leavesNetwork && (() => leavesNetwork.reconnect());
    case "snapshot":
      return snapshotsData && (() => snapshotsData.snapshot(COPY));
    case "rollback":
      return snapshotsData && (() => snapshotsData.restore(COPY));
    default:
      // Over the control line anything may come.
      throw new HarnessError("INTERNAL", { what: `no action on servers is called ${action}` });
  }
}
