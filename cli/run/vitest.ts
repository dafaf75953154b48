/** Runs check files in Vitest against one deployment and passes on each check's report as it comes. */
import path from "node:path";
import { BaseSequencer, createVitest, type TestCase, type TestSpecification } from "vitest/node";
import type { CheckReport, RunInfo } from "#harness/world/run-info";
import { orderFiles } from "./order.ts";

export interface VitestPlan {
  readonly root: string;
  /** Absolute paths of `*.test.ts` files. */
  readonly files: readonly string[];
  readonly info: RunInfo;
  /** Undefined: as many as the files are for. */
  readonly workers: number | undefined;
  /** Checks in flight in each worker. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onReport: (report: CheckReport) => void;
  /** A test that ended without a report: its file could not be loaded, or the worker died. `what` is the test, where it is known. */
  readonly onBroken: (why: string, what?: string) => void;
}

/** At these Vitest would end the process at once, before results are written and servers are stopped. */
const OURS_TO_HANDLE = ["SIGINT", "SIGTERM", "unhandledRejection"];

/** Resolves when all checks are done or the signal stopped them. */
export async function runVitest(plan: VitestPlan): Promise<void> {
  const order = await orderFiles(plan.files);
  const emitter: NodeJS.EventEmitter = process;
  const listeners = OURS_TO_HANDLE.map((event) => [event, emitter.rawListeners(event)] as const);
  const vitest = await createVitest(
    {
      root: plan.root,
      config: false,
      watch: false,
      include: plan.files.map((file) => path.relative(plan.root, file)),
      pool: "threads",
      isolate: false,
      maxWorkers: Math.min(plan.workers ?? order.workers, plan.files.length),
      maxConcurrency: plan.concurrency,
      // By itself Vitest takes the order from what it has cached of earlier runs.
      sequence: { sequencer: inOrder(order.files) },
      passWithNoTests: true,
      reporters: [
        {
          onTestCaseResult: (test: TestCase) => {
            const report = test.meta().crucible;
            if (report !== undefined) plan.onReport(report);
            else if (test.result().state === "failed")
              plan.onBroken(firstError(test.result().errors), test.fullName);
          },
          onTestModuleEnd: (module) => {
            for (const error of module.errors())
              plan.onBroken(error.message, module.relativeModuleId);
          },
          onTestRunEnd: (_modules, errors) => {
            for (const error of errors) plan.onBroken(error.message);
          },
        },
      ],
    },
    { logLevel: "silent", cacheDir: path.join(plan.root, "node_modules/.vite") },
  );
  for (const [event, before] of listeners) {
    for (const listener of emitter.rawListeners(event))
      if (!before.includes(listener)) emitter.off(event, listener as () => void);
  }
  const onAbort = () => void vitest.cancelCurrentRun("keyboard-input");
  plan.signal.addEventListener("abort", onAbort, { once: true });
  try {
    vitest.provide("crucible", plan.info);
    if (!plan.signal.aborted) await vitest.start();
  } finally {
    plan.signal.removeEventListener("abort", onAbort);
    await vitest.close();
  }
}

/** Vitest makes its sequencer itself. */
function inOrder(files: readonly string[]) {
  return class extends BaseSequencer {
    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      const place = ({ moduleId }: TestSpecification) => files.indexOf(moduleId);
      return specifications.toSorted((left, right) => place(left) - place(right));
    }
  };
}

function firstError(errors: readonly { message: string }[] | undefined): string {
  return errors?.[0]?.message ?? "failed without an error";
}
