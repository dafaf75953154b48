/** What it takes to tell a plan, and what comes of it. */
import type { CheckerVerdict, JournalRecord } from "#chaos/journal/record";
import type { JournalWriter } from "#chaos/journal/write";
import type { Deployment } from "#harness/deployment/deployment";
import type { FaultStep, Plan } from "#scenarios/plan";
import type { EncryptionContext } from "./encryption.ts";
import type { Hands } from "./hands.ts";
import type { FaultReport, ServerCondition, Skipped } from "./trouble.ts";

export interface Telling {
  readonly plan: Plan;
  readonly deployment: Deployment;
  readonly journal: JournalWriter;
  /** Of rooms that name none; absent: the servers' default. */
  readonly roomVersion?: string | undefined;
  /** Unique on these servers. */
  readonly suffix: string;
  readonly run: string;
  readonly tool: string;
  readonly signal: AbortSignal;
  /** Looks at what an epoch has shown, when servers have converged or never will. */
  readonly judge: (records: readonly JournalRecord[], epoch: number) => readonly CheckerVerdict[];
  /** After each epoch: whether the story ends here. */
  readonly isOver?: (epoch: Epoch) => boolean;
  /** Called once, with a way to ask how things are at any time. */
  readonly onBegun?: (status: () => Status) => void;
  /** Where devices that encrypt tell what they do, and who finds out why one can not read an event. */
  readonly encryption?: Pick<EncryptionContext, "logFolder" | "explain"> | undefined;
  /** What people want done besides. */
  readonly hands?: Hands | undefined;
  /** What happens now, one line. */
  readonly progress: (line: string) => void;
}

/** How things are now. */
export interface Status {
  readonly epoch: number;
  /** In words. */
  readonly faults: readonly string[];
  /** Those of links. */
  readonly inForce: readonly FaultStep[];
  /** By role. */
  readonly conditions: ReadonlyMap<string, ServerCondition>;
  /** Events that were sent and have not come, by link in server names. */
  readonly lags: ReadonlyMap<string, number>;
}

/** From one convergence to the next. */
export interface Epoch {
  /** From 1 on. */
  readonly number: number;
  readonly verdicts: readonly CheckerVerdict[];
  readonly recovery: Recovery;
}

export interface Told {
  readonly epochs: readonly Epoch[];
  readonly faults: readonly FaultReport[];
  /** What this deployment can not do. */
  readonly skipped: readonly Skipped[];
}

export interface Recovery {
  readonly mode: "nudged" | "silent";
  /** From the heal until all servers were seen to agree; null: never. */
  readonly fromHealMs: number | null;
  readonly detectionMs?: number;
}
