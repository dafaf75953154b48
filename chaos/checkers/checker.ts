/** What a checker is, and how it puts its verdict together. */
import type { CheckerOutcome, CheckerVerdict, Finding } from "#chaos/journal/record";
import type { JournalView } from "#chaos/journal/view";
import type { RequirementId } from "#harness/requirements/ids.generated";

export interface Checker {
  readonly name: string;
  /** The rule, one sentence. */
  readonly statement: string;
  /** What it mainly stands on; a finding names its own. Absent: nothing that is written down, and so it fails no server. */
  readonly requirement?: RequirementId;
  /** Looks at all that an epoch has shown. Pure. */
  readonly look: (view: JournalView, epoch: number, looking: Looking) => void;
}

/** From the worst on: one finding of a kind makes the whole verdict of that kind. */
const WORST = ["fail", "unknown", "known-protocol-reset"] as const;

/** Takes down what a checker comes upon. */
export class Looking {
  readonly #findings: Finding[] = [];
  #looked = 0;
  #reason: string | undefined;

  /** So many things more were looked at. */
  at(count = 1): void {
    this.#looked += count;
  }

  find(finding: Finding): void {
    this.#findings.push(finding);
  }

  /** Why it may be that nothing is looked at, other than that there was nothing. */
  because(reason: string): void {
    this.#reason ??= reason;
  }

  verdict(checker: string): CheckerVerdict {
    const findings = this.#findings;
    const worst = WORST.find((kind) => findings.some(({ outcome }) => outcome === kind));
    const outcome: CheckerOutcome = worst ?? (this.#looked === 0 ? "skip" : "pass");
    const reason =
      outcome === "unknown"
        ? findings.find((finding) => finding.outcome === outcome)?.what
        : (this.#reason ?? "nothing of it was seen");
    const isOpen = outcome === "unknown" || outcome === "skip";
    return {
      checker,
      outcome,
      looked: this.#looked,
      findings,
      ...(isOpen && reason !== undefined ? { reason } : {}),
    };
  }
}

/** `3 events: $a, $b, $c`; of many the first few. */
export function some(what: string, names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(", ");
  const plural = names.length === 1 ? what : `${what}s`;
  return `${names.length} ${plural}: ${shown}${names.length > most ? ", …" : ""}`;
}
