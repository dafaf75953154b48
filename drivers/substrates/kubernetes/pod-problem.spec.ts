/** What is told of a pod that waits for its database. */
import type { V1ContainerState } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { problemOf } from "./pod-problem.ts";

function podWith(wait: V1ContainerState, homeserver: V1ContainerState) {
  const status = (name: string, state: V1ContainerState) => ({
    ...{ name, state, image: "", imageID: "", ready: false, restartCount: 0 },
  });
  return {
    status: {
      phase: "Pending",
      initContainerStatuses: [status("wait", wait)],
      containerStatuses: [status("homeserver", homeserver)],
    },
  };
}

const ended = (exitCode: number) => ({ terminated: { exitCode } });
const waiting = (reason: string) => ({ waiting: { reason } });

test.each([
  [waiting("ErrImagePull"), waiting("PodInitializing"), "wait: ErrImagePull", true],
  [{ running: {} }, waiting("PodInitializing"), "phase Pending", false],
  [ended(1), waiting("PodInitializing"), "wait ended with exit code 1", false],
  [ended(0), waiting("CrashLoopBackOff"), "homeserver: CrashLoopBackOff", true],
])("%j, then %j: %s", (wait, homeserver, what, isFinal) => {
  expect(problemOf(podWith(wait, homeserver))).toEqual({ what, isFinal });
});
