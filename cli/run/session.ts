/** What a run collects, and what ends it early. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { type CheckResult, type Evidence, IN_ALL_ANSWERS } from "#harness/results/outcome";
import type { RunRegistry } from "#harness/runs/registry";
import type { CheckReport, RecordChoice } from "#harness/world/run-info";
import { WITHHELD_HERE } from "#reports/finding";
import type { Selected } from "./select.ts";

export const ROOT = path.resolve(import.meta.dirname, "../..");

export function harnessVersion(): string {
  const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}

/** Whose checks are about calls. */
const CALLS = "msc4143";
/** `crucible call` draws any other. */
const MAX_PICTURES = 300;

/** Collects what checks report, and knows which have not yet. */
export class Verdicts {
  readonly results: CheckResult[] = [];
  readonly evidence: Evidence[] = [];
  readonly reports: CheckReport[] = [];
  /** Known once it runs; until then its place is taken by what was asked for. */
  deployment: string;
  readonly #requirements: ReadonlyMap<string, Requirement>;
  readonly #pending = new Map<string, { id: string; title: string }>();
  readonly #broken: string[] = [];
  readonly #pictures: Pictures;

  /** @param record of which checks about calls pictures are made */
  constructor({ plan, servers }: Selected, repeat: number, record: RecordChoice = "none") {
    this.#pictures = new Pictures(record);
    const specs = new Set([...servers.values()].map(({ text }) => text));
    this.deployment = `${[...specs].join("+")}/${plan.topology.name}`;
    this.#requirements = new Map(
      plan.requirements.map((requirement) => [requirement.id, requirement]),
    );
    for (const { id, title } of plan.checks) {
      for (let repetition = 1; repetition <= repeat; repetition++) {
        const name = repeat === 1 ? title : `${title} (${repetition})`;
        this.#pending.set(`${id} ${name}`, { id, title: name });
      }
    }
  }

  pending(): string[] {
    return [...this.#pending.keys()];
  }

  /**
   * Something of the runner broke; every check that stays without a report is an error because of it.
   *
   * @param what the test, where it is known: of a sensitive one nobody is told why
   * @returns what may be told
   */
  broke(why: string, what = ""): string {
    const isSensitive = [...this.#requirements.values()].some(
      ({ id, sensitive }) => sensitive && what.startsWith(`${id} `),
    );
    const told = [...(what === "" ? [] : [what]), isSensitive ? WITHHELD_HERE : why].join(": ");
    this.#broken.push(told);
    return told;
  }

  add(
    report: CheckReport,
    repeat: number,
  ): { result: CheckResult; evidence: Evidence | undefined } {
    const title = repeat === 1 ? report.title : `${report.title} (${report.repetition})`;
    this.#pending.delete(`${report.requirement} ${title}`);
    this.reports.push(report);
    const requirement = this.#requirements.get(report.requirement);
    // Results are made to be shared, as baselines; whatever a sensitive check saw stays in the evidence.
    const isWithheld =
      requirement?.sensitive === true && report.outcome !== "pass" && report.outcome !== "skip";
    const result = this.#result(report.requirement, title, {
      outcome: report.outcome,
      ...(report.startedAt === undefined
        ? {}
        : { startedAt: new Date(report.startedAt).toISOString() }),
      durationMs: report.durationMs,
      ...(isWithheld
        ? { reason: WITHHELD_HERE }
        : report.reason === undefined
          ? {}
          : { reason: report.reason }),
    });
    const { call, ...others } = report;
    const isCall = call !== undefined && requirement?.suite === CALLS;
    const picture = isCall ? this.#pictures.nameOf(report) : undefined;
    const told = evidenceOf(this.deployment, title, isCall ? report : others);
    const evidence = told && picture !== undefined ? { ...told, picture } : told;
    this.results.push(result);
    if (evidence !== undefined) this.evidence.push(evidence);
    return { result, evidence };
  }

  /** Rules that answers broke in checks of something else: one failure for each of the requirements in this run. */
  violations(): { result: CheckResult; evidence: Evidence }[] {
    const first = new Map<string, { report: CheckReport; message: string; exchange?: string }>();
    // Not the one that came first: two runs should tell the same.
    const order = ({ requirement, title }: CheckReport) => `${requirement} ${title}`;
    const reports = this.reports.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
    for (const report of reports) {
      for (const { requirement, ...violation } of report.violations ?? []) {
        if (!first.has(requirement)) first.set(requirement, { report, ...violation });
      }
    }
    return [...first].flatMap(([id, { report, message, exchange }]) => {
      const requirement = this.#requirements.get(id);
      if (requirement === undefined) return [];
      const text = `${message} (seen by ${report.requirement} ${report.title})`;
      const reason = requirement.sensitive === true ? WITHHELD_HERE : text;
      const result = this.#result(id, IN_ALL_ANSWERS, { outcome: "fail", durationMs: 0, reason });
      this.results.push(result);
      const evidence = {
        deployment: this.deployment,
        requirement: id,
        check: IN_ALL_ANSWERS,
        message: text,
        exchanges: report.exchanges.slice(-50),
        ...(exchange === undefined ? {} : { exchange }),
      };
      this.evidence.push(evidence);
      return [{ result, evidence }];
    });
  }

  /** What never reported: `not-run` when the run was stopped, `error` when it should have. @param trouble what broke. */
  close(wasStopped: boolean, trouble: unknown): CheckResult[] {
    if (trouble !== undefined)
      this.#broken.unshift(trouble instanceof HarnessError ? trouble.what : describe(trouble));
    const why = wasStopped
      ? { outcome: "not-run" as const, reason: "the run was stopped" }
      : { outcome: "error" as const, reason: this.#broken[0] ?? "the check did not report" };
    const missing = [...this.#pending.values()].map(({ id, title }) =>
      this.#result(id, title, { durationMs: 0, ...why }),
    );
    this.results.push(...missing);
    this.#pending.clear();
    return missing;
  }

  #result(
    id: string,
    check: string,
    rest: Pick<CheckResult, "outcome" | "startedAt" | "durationMs" | "reason">,
  ): CheckResult {
    const requirement = this.#requirements.get(id);
    const party = requirement?.party;
    return {
      kind: "check",
      deployment: this.deployment,
      suite: requirement?.suite ?? "unknown",
      requirement: id,
      level: requirement?.level ?? "MUST",
      ...(party === undefined || party === "server" ? {} : { party }),
      check,
      ...rest,
    };
  }
}

function evidenceOf(deployment: string, check: string, report: CheckReport): Evidence | undefined {
  const isWorthTelling =
    report.notes.length > 0 ||
    report.replay !== undefined ||
    report.undecryptable !== undefined ||
    report.call !== undefined;
  if (report.outcome === "pass" && !isWorthTelling) return undefined;
  if (report.outcome === "skip") return undefined;
  const {
    requirement,
    expected,
    actual,
    message,
    stack,
    exchanges,
    exchange,
    notes,
    logs,
    replay,
    undecryptable,
    call,
  } = report;
  return {
    deployment,
    requirement,
    check,
    message: message ?? report.reason ?? "",
    exchanges: exchanges.slice(-50),
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(stack === undefined ? {} : { stack }),
    ...(exchange === undefined ? {} : { exchange }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(logs === undefined ? {} : { logs }),
    ...(replay === undefined ? {} : { replay }),
    ...(undecryptable === undefined ? {} : { undecryptable }),
    ...(call === undefined ? {} : { call }),
  };
}

/** Names of pictures to be: of failures, or of all checks about calls. */
class Pictures {
  readonly #record: RecordChoice;
  readonly #count = new Map<string, number>();
  #left = MAX_PICTURES;

  constructor(record: RecordChoice) {
    this.#record = record;
  }

  /** Within the run directory; undefined: none is wanted, or there are enough. */
  nameOf({ requirement, outcome }: CheckReport): string | undefined {
    const hasFailed = outcome === "fail" || outcome === "error";
    const isWanted = this.#record === "all" ? outcome !== "skip" : hasFailed;
    if (this.#record === "none" || !isWanted || this.#left === 0) return undefined;
    this.#left--;
    const number = (this.#count.get(requirement) ?? 0) + 1;
    this.#count.set(requirement, number);
    return `replay/${requirement}-${number}.call.svg`;
  }
}

/** Aborts on Ctrl-C; a second one ends at once. The registry's sweep at the next start takes the rest. */
export function abortOnSignals(
  registry: RunRegistry,
  { doing = "stopping" }: { doing?: string } = {},
): {
  signal: AbortSignal;
  release: () => void;
} {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write(`\n${doing} (once more: at once)\n`);
    controller.abort(
      new HarnessError("INTERRUPTED", { what: `run ${registry.runId} was interrupted` }),
    );
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** Until Ctrl-C; at once when that has been. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
