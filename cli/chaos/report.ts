/** What came of a chaos run, as data and as text. */
import type { CheckerOutcome, CheckerVerdict, Finding } from "#chaos/journal/record";
import { words } from "#chaos/live/words";
import type { ReplayPage } from "#harness/results/replays";
import type { Plan } from "#scenarios/plan";
import { operationsOf } from "#scenarios/plan";
import { type RoomFile, roomLines } from "./room-files.ts";
import type { Growth } from "./series.ts";
import { pageLine } from "./story-page.ts";
import type { Story } from "./storyteller.ts";

/** What one checker said over all epochs. */
export interface CheckerSummary {
  readonly checker: string;
  readonly outcome: CheckerOutcome;
  readonly looked: number;
  /** Different ones, the first few. */
  readonly findings: readonly Finding[];
  readonly reason?: string;
}

export interface FaultSummary {
  readonly fault: string;
  /** How often it was put in force. */
  readonly times: number;
  /** Exchanges and connections on which it acted, or times a server was harmed. */
  readonly fired: number;
}

export interface RecoverySummary {
  readonly count: number;
  /** Null: no recovery came to its end. */
  readonly medianMs: number | null;
  readonly never: number;
}

export interface Failure {
  readonly checkers: readonly string[];
  readonly epoch: number;
  /** Plan that failed, as a file. */
  readonly plan: string;
  readonly operations: number;
  /** The story as a page. */
  readonly replay: ReplayPage;
  /** The smallest plan that still failed. */
  readonly shrunk?: {
    readonly plan: string;
    /** Command that tells it again. */
    readonly again: string;
    readonly journal: string;
    readonly operations: number;
    readonly replays: number;
    readonly isMinimal: boolean;
    readonly story: readonly string[];
    readonly findings: readonly Finding[];
    /** What was found about rooms, looked at without servers. */
    readonly rooms: readonly RoomFile[];
    readonly replay: ReplayPage;
  };
}

export interface ChaosReport {
  readonly run: string;
  readonly deployment: string;
  readonly seed: number;
  readonly stories: number;
  readonly epochs: number;
  readonly seconds: number;
  /** What people asked for while it ran. */
  readonly byHand: number;
  readonly operations: Readonly<Record<"ok" | "fail" | "unknown", number>>;
  readonly checkers: readonly CheckerSummary[];
  readonly faults: readonly FaultSummary[];
  /** What this deployment can not do. */
  readonly skipped: readonly string[];
  /** Faults that were asked for and that the run did not come to. */
  readonly notReached: readonly string[];
  /** Where devices encrypt: how many messages they have sent to each other's devices. */
  readonly keyMessages?: number;
  /** What servers were broken with on purpose. */
  readonly mutant?: string;
  readonly nudged: RecoverySummary;
  readonly silent: RecoverySummary;
  /** Our share of the recovery, milliseconds. */
  readonly detection: { readonly medianMs: number | null; readonly maxMs: number | null };
  readonly journals: readonly string[];
  /** Rooms with failures or known resets, looked at without servers. */
  readonly rooms: readonly RoomFile[];
  /** Of a soak: the file with figures over time, and how those of the harness grew. */
  readonly series?: string;
  readonly growth?: Growth;
  /** Of ours or of the machine: faults that were promised and did not act, checkers that do not know, … */
  readonly troubles: readonly string[];
  readonly failure?: Failure;
  readonly exitCode: number;
}

const MAX_FINDINGS = 10;
const WORST: readonly CheckerOutcome[] = [
  "fail",
  "unknown",
  "known-protocol-reset",
  "pass",
  "skip",
];

/** Folds the stories of a run; forgets none of what they found. */
export class Tally {
  readonly #verdicts = new Map<string, CheckerVerdict[]>();
  readonly #faults = new Map<string, { times: number; fired: number }>();
  readonly #skipped = new Set<string>();
  readonly #unable = new Set<string>();
  readonly #recoveries = { nudged: [] as (number | null)[], silent: [] as (number | null)[] };
  readonly #detections: number[] = [];
  readonly operations = { ok: 0, fail: 0, unknown: 0 };
  stories = 0;
  epochs = 0;
  /** What people did, one command each. */
  byHand = 0;

  add({ plan, told, records }: Story): void {
    const steps = records.filter((record) => record.t === "step");
    this.#addTwists(plan, new Set(steps.map(({ step }) => step)));
    this.stories++;
    this.byHand += records.filter(({ t }) => t === "by-hand").length;
    this.epochs += told.epochs.length;
    for (const { outcome, op } of steps) if (op !== "nudge") this.operations[outcome]++;
    for (const { verdicts, recovery } of told.epochs) {
      for (const verdict of verdicts) {
        const all = this.#verdicts.get(verdict.checker) ?? [];
        all.push(verdict);
        this.#verdicts.set(verdict.checker, all);
      }
      this.#recoveries[recovery.mode].push(recovery.fromHealMs);
      if (recovery.detectionMs !== undefined) this.#detections.push(recovery.detectionMs);
    }
    for (const { fault, fired } of told.faults) this.#fault(fault, fired);
    for (const { fault, text } of told.skipped) {
      this.#skipped.add(text);
      this.#unable.add(fault);
    }
  }

  /** What clients did, counted as faults. */
  #addTwists(plan: Plan, told: ReadonlySet<string>): void {
    for (const { id, client, ahead } of operationsOf(plan)) {
      if (!told.has(id)) continue;
      if (client !== undefined) this.#fault(client, 1);
      if (ahead !== undefined) this.#fault("clock-ahead", 1);
    }
  }

  #fault(fault: string, fired: number): void {
    const sum = this.#faults.get(fault) ?? { times: 0, fired: 0 };
    this.#faults.set(fault, { times: sum.times + 1, fired: sum.fired + fired });
  }

  /** Kinds of faults that the deployment can not do. */
  get unable(): ReadonlySet<string> {
    return this.#unable;
  }

  summary() {
    return {
      stories: this.stories,
      epochs: this.epochs,
      byHand: this.byHand,
      operations: { ...this.operations },
      checkers: [...this.#verdicts].map(([checker, all]) => summaryOf(checker, all)),
      faults: [...this.#faults]
        .map(([fault, sum]) => ({ fault, ...sum }))
        .sort((a, b) => (a.fault < b.fault ? -1 : 1)),
      skipped: [...this.#skipped],
      nudged: recoverySummary(this.#recoveries.nudged),
      silent: recoverySummary(this.#recoveries.silent),
      detection: {
        medianMs: median(this.#detections),
        maxMs: this.#detections.length === 0 ? null : Math.max(...this.#detections),
      },
    };
  }
}

function summaryOf(checker: string, all: readonly CheckerVerdict[]): CheckerSummary {
  const outcome = WORST.find((one) => all.some((verdict) => verdict.outcome === one)) ?? "skip";
  const reason = all.find((verdict) => verdict.outcome === outcome)?.reason;
  const seen = new Map(
    all.flatMap(({ findings }) => findings).map((finding) => [finding.what, finding]),
  );
  return {
    checker,
    outcome,
    looked: all.reduce((sum, { looked }) => sum + looked, 0),
    findings: [...seen.values()]
      .sort((a, b) => rankOf(a.outcome) - rankOf(b.outcome))
      .slice(0, MAX_FINDINGS),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The worst come first. */
function rankOf(outcome: Finding["outcome"]): number {
  const rank = (WORST as readonly string[]).indexOf(outcome);
  return rank < 0 ? WORST.length : rank;
}

function recoverySummary(all: readonly (number | null)[]): RecoverySummary {
  const ended = all.filter((ms) => ms !== null);
  return { count: all.length, medianMs: median(ended), never: all.length - ended.length };
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : Math.round(((sorted[middle - 1] ?? upper) + upper) / 2);
}

/** The report for people, one line each. */
export function reportLines(report: ChaosReport): readonly string[] {
  const { operations, nudged, silent, detection, failure } = report;
  const { ok, fail, unknown } = operations;
  return [
    `${report.deployment}, seed ${report.seed}: ${report.stories} stories, ${report.epochs} epochs in ${report.seconds} s`,
    `operations: ${ok} ok, ${fail} refused, ${unknown} unknown`,
    ...(report.keyMessages === undefined
      ? []
      : [`encrypted messages to devices: ${report.keyMessages}`]),
    ...(report.byHand === 0 ? [] : [`by hand: ${report.byHand} commands`]),
    "",
    ...report.checkers.flatMap(checkerLines),
    "",
    `faults: ${report.faults.map(({ fault, times, fired }) => `${fault} ${times}x (acted ${fired})`).join(", ") || "none"}`,
    ...report.skipped.map((line) => `skipped: ${line}`),
    ...report.notReached.map((line) => `not reached: ${line}`),
    `recovery, nudged: ${recoveryText(nudged)}; silent: ${recoveryText(silent)}`,
    ...(detection.medianMs === null
      ? []
      : [`our share of it: median ${detection.medianMs} ms, at most ${detection.maxMs} ms`]),
    ...Object.entries(report.growth ?? {}).map(
      ([figure, { first, last }]) => `harness, ${figure}: ${first} at first, ${last} at last`,
    ),
    ...roomLines(report.rooms),
    ...report.troubles.map((line) => `trouble: ${line}`),
    ...(failure === undefined ? [] : ["", ...failureLines(failure)]),
    ...report.journals.map((file) => `journal: ${file}`),
  ];
}

function checkerLines({ checker, outcome, looked, findings, reason }: CheckerSummary): string[] {
  const why = reason === undefined || outcome === "pass" ? "" : `: ${reason}`;
  return [
    `${outcome.padEnd(20)} ${checker.padEnd(24)} looked at ${looked}${why}`,
    ...findings.map(findingLine),
  ];
}

export function findingLine({ outcome, what, requirement, matter, class: kind }: Finding): string {
  const notes = [
    ...(requirement === undefined ? [] : [requirement]),
    ...(kind === undefined ? [] : [`class ${kind}`]),
    ...(matter === undefined ? [] : [`${matter} matter`]),
  ];
  return `    ${outcome}: ${what}${notes.length === 0 ? "" : ` (${notes.join(", ")})`}`;
}

function recoveryText({ count, medianMs, never }: RecoverySummary): string {
  if (count === 0) return "none";
  const missed = never === 0 ? "" : `, ${never} never`;
  return `${count}, median ${medianMs === null ? "none" : `${medianMs} ms`}${missed}`;
}

function failureLines({ checkers, epoch, operations, plan, replay, shrunk }: Failure): string[] {
  const first = [
    `failed in epoch ${epoch}: ${checkers.join(", ")} (${operations} operations so far: ${plan})`,
    pageLine(replay),
  ];
  if (shrunk === undefined) return first;
  const how = shrunk.isMinimal ? "nothing more can be left out" : "as far as the budget went";
  return [
    ...first,
    `the smallest story that fails, ${shrunk.operations} operations, ${how}:`,
    ...shrunk.story.map((line) => `  ${line}`),
    ...shrunk.findings.map(findingLine),
    ...roomLines(shrunk.rooms),
    `tell it again: ${shrunk.again}`,
    `keep it: mkdir -p chaos/corpus && cp ${shrunk.plan} chaos/corpus/`,
    `journal of it: ${shrunk.journal}`,
    pageLine(shrunk.replay),
  ];
}

/** A plan as a story in words. */
export function storyOf({ rooms, users, steps }: Plan): readonly string[] {
  const cast = Object.entries(users).map(([user, role]) => `${user} on ${role}`);
  return [
    `there are ${cast.join(", ")}`,
    ...Object.entries(rooms).flatMap(([name, room]) => {
      const { creator, rule = "public", version, members = [], isLater = false } = room;
      if (isLater) return [];
      const kind = version === undefined ? rule : `${rule}, version ${version}`;
      const others = members.length === 0 ? "" : `; ${members.join(", ")} joined`;
      return `${creator} has made ${name} (${kind})${others}`;
    }),
    ...steps.map(words),
  ];
}
