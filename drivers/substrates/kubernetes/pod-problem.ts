/** Why a pod does not get ready, and whether waiting helps. */
import type { V1Pod } from "@kubernetes/client-node";
import { WAIT } from "./workload.ts";

export interface PodProblem {
  readonly what: string;
  /** Nothing changes by itself. */
  readonly isFinal: boolean;
}

/** Reasons of waiting containers that tell of a mistake. A pull is tried again, but a name that is wrong stays wrong. */
const FINAL = [
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "CrashLoopBackOff",
];

/** Reasons of those that are only on their way. */
const BEGINNING = ["ContainerCreating", "PodInitializing"];

/** Undefined when there is nothing to tell. */
export function problemOf({ status }: V1Pod): PodProblem | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  for (const { state, lastState, name } of [...initContainerStatuses, ...containerStatuses]) {
    const { waiting, terminated } = state ?? {};
    if (waiting?.reason !== undefined && !BEGINNING.includes(waiting.reason)) {
      const ended = lastState?.terminated;
      const how = ended === undefined ? "" : `, it ended with exit code ${ended.exitCode}`;
      return {
        what: `${name}: ${waiting.reason} ${waiting.message ?? ""}`.trim() + how,
        isFinal: FINAL.includes(waiting.reason),
      };
    }
    // One that others wait for has then done its part.
    if (terminated !== undefined && !(terminated.exitCode === 0 && name === WAIT)) {
      return { what: `${name} ended with exit code ${terminated.exitCode}`, isFinal: false };
    }
  }
  const unscheduled = status?.conditions?.find(
    ({ type, status: is }) => type === "PodScheduled" && is === "False",
  );
  if (unscheduled !== undefined) {
    // A node may come, or a volume.
    return { what: `no node takes it: ${unscheduled.message ?? ""}`.trim(), isFinal: false };
  }
  return status?.phase === undefined
    ? undefined
    : { what: `phase ${status.phase}`, isFinal: false };
}
