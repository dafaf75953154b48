/** What the conformance site shows, as plain data: Node makes it, the page in a browser reads it. */
import type { Basis, Level, OtherParty, Outcome } from "#harness/results/outcome";

/** Outcomes of a deployment are one text, a letter a requirement. */
export const LETTERS: Readonly<Record<Outcome, string>> = {
  pass: "p",
  fail: "f",
  error: "e",
  skip: "s",
  "not-run": "n",
  xfail: "x",
  xpass: "X",
  flaky: "k",
};
/** There was no check of it. */
export const ABSENT = "-";
/** Requirements whose details are in one file. */
export const CHUNK = 64;

type Counts = Readonly<Record<Outcome, number>>;

export interface SiteLevel {
  readonly level: Level;
  readonly met: number;
  readonly exercised: number;
  readonly total: number;
}

export interface SiteSuite {
  readonly suite: string;
  readonly counts: Counts;
  readonly levels: readonly SiteLevel[];
  readonly durationMs: number;
}

/** As `summarise` has it: a later run of the same one is a deployment of its own. */
export interface SiteDeployment {
  readonly name: string;
  /** `hs1: synapse 1.163.2 (process:synapse@1.163.2)`. */
  readonly servers: readonly string[];
  readonly counts: Counts;
  readonly levels: readonly SiteLevel[];
  readonly suites: readonly SiteSuite[];
  /** By requirement. */
  readonly outcomes: string;
}

/** All runs of one deployment: the last one is what it is now, the others are its history. */
export interface SiteColumn {
  readonly name: string;
  /** Oldest first. */
  readonly deployments: readonly number[];
}

export interface SiteRequirement {
  readonly id: string;
  readonly suite: string;
  readonly level: Level;
  readonly party?: OtherParty;
  /** Absent: this version of the requirements does not know it. */
  readonly basis?: Basis;
  readonly isSensitive: boolean;
  readonly statement: string;
  readonly source: string;
}

/** Between two of the runs, by `diffRuns`; what changed is in a file of its own. */
export interface SitePair {
  readonly before: number;
  readonly after: number;
  /** By transition, in their order. */
  readonly counts?: Readonly<Record<string, number>>;
  /** What a reader has to know of the comparison. */
  readonly notes?: readonly string[];
  /** Why they can not be compared. */
  readonly refused?: string;
}

export interface SiteIndex {
  readonly verdict: string;
  readonly harness: string;
  /** Hash of the requirements. */
  readonly requirementSet: string;
  readonly troubles: readonly string[];
  /** In the order given. */
  readonly runs: readonly string[];
  readonly deployments: readonly SiteDeployment[];
  readonly columns: readonly SiteColumn[];
  readonly requirements: readonly SiteRequirement[];
  readonly pairs: readonly SitePair[];
  readonly hasPlots: boolean;
  /** What the site does without, and why. */
  readonly leftOut: readonly string[];
}

export interface SiteReplay {
  /** Within the site. */
  readonly link?: string;
  /** Name of the recording in its run directory. */
  readonly file: string;
  readonly note?: string;
}

/** What is known of one check on one deployment beside its outcome. */
export interface SiteFinding {
  readonly deployment: number;
  readonly reason?: string;
  readonly expected?: string;
  readonly actual?: string;
  /** Oldest first, the telling one last. */
  readonly exchanges: readonly string[];
  readonly logs: readonly string[];
  readonly notes: readonly string[];
  readonly replay?: SiteReplay;
  /** Command that shows it again. */
  readonly again?: string;
}

export interface SiteCheck {
  readonly title: string;
  /** Of the file that has it, as `suites/core/push.test.ts:12`. */
  readonly place?: string;
  /** Whether a violation that we make is known to be caught by it; absent: the check is not known. */
  readonly hasMutant?: boolean;
  /** By deployment. */
  readonly outcomes: string;
  /** Milliseconds, by deployment; 0 where it was not. */
  readonly durations: readonly number[];
  readonly findings: readonly SiteFinding[];
}

export interface SiteDetails {
  readonly how: string;
  readonly negative?: string;
  readonly needs: readonly string[];
  readonly unstable?: string;
  readonly retired?: string;
  readonly checks: readonly SiteCheck[];
}

export interface SiteChange {
  /** As `diffRuns` has them. */
  readonly transition: string;
  readonly requirement: string;
  readonly check: string;
  readonly level: Level;
  readonly deployment: string;
  readonly before?: Outcome;
  readonly after?: Outcome;
  readonly reasons: readonly string[];
}

/** Points of one panel: what is measured by what it grows with. */
export interface SitePlot {
  readonly title: string;
  readonly unit: string;
  readonly x: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
}

/** Times from the end of the last fault until servers agreed. */
export interface SiteRecovery {
  readonly deployment: string;
  readonly mode: string;
  readonly count: number;
  readonly medianMs: number | null;
  readonly never: number;
}

/** How long something of calls took in one check, where it happened at all. */
export interface SiteCall {
  readonly deployment: string;
  /** As `join to first audio`. */
  readonly name: string;
  readonly subject: string;
  readonly count: number;
  readonly medianMs: number;
  readonly slowestMs: number;
}

export interface SitePlots {
  readonly performance: readonly SitePlot[];
  readonly recovery: readonly SiteRecovery[];
  readonly calls: readonly SiteCall[];
}
