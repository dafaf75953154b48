/** Tells plans on one set of servers, one after the other, each with a journal of its own. */
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { judgeAll } from "#chaos/checkers/checkers";
import type { CheckerVerdict, JournalRecord } from "#chaos/journal/record";
import { JournalWriter } from "#chaos/journal/write";
import { asTold } from "#chaos/live/by-hand";
import type { Hands } from "#chaos/live/hands";
import { tell } from "#chaos/live/tell";
import type { Epoch, Told } from "#chaos/live/telling";
import { harnessVersion } from "#cli/run/session";
import type { Plan } from "#scenarios/plan";
import { countsOf, type Display } from "./display.ts";
import { retellCommand, type ToldWith } from "./retelling.ts";
import type { Stage } from "./stage.ts";
import { UtdPages } from "./utd-pages.ts";

export interface Story {
  readonly plan: Plan;
  readonly told: Told;
  /** The file. */
  readonly journal: string;
  /** The first epoch in which a checker failed. */
  readonly failed: Epoch | undefined;
  /** Most forward extremities of a room at the last convergence. */
  readonly extremities: number;
  readonly records: readonly JournalRecord[];
}

export interface Watcher {
  readonly hands: Hands;
  /** A story begins; what it returns is called when the journal has got more. */
  readonly begin: (name: string, journal: string) => () => void;
}

export interface StorytellerOptions extends ToldWith {
  readonly stage: Stage;
  readonly display: Display;
  /** Of rooms that name none. */
  readonly roomVersion: string | undefined;
  /** Stories that are told for the first time are looked at by people, who have a hand in them. */
  readonly watch?: Watcher | undefined;
  /** Breaks a server so until the story is over. Rooms have their versions once all are made. */
  readonly broken?: (versions: ReadonlyMap<string, string>, isRetold: boolean) => Disposable;
}

export class Storyteller {
  readonly #options: StorytellerOptions;
  readonly #utdPages: UtdPages;
  #count = 0;

  constructor(options: StorytellerOptions) {
    this.#options = options;
    this.#utdPages = new UtdPages(options.stage.folder);
  }

  /**
   * @param name of the journal's file, without its ending
   * @param isRetold it has failed before, and is told to find out what of it matters
   * @param isOver asked after each epoch; a failed one ends the story in any case
   * @throws HarnessError when servers or something of ours got in the way
   */
  async tell(
    plan: Plan,
    {
      name,
      isRetold = false,
      isQuiet = false,
      isOver,
    }: { name: string; isRetold?: boolean; isQuiet?: boolean; isOver?: () => boolean },
  ): Promise<Story> {
    const { stage, display, roomVersion, checkers, broken } = this.#options;
    const watch = isRetold ? undefined : this.#options.watch;
    const versions = new Map<string, string>();
    using _broken = broken?.(versions, isRetold);
    const file = path.join(stage.folder, `${name}.replay.ndjson`);
    mkdirSync(path.dirname(file), { recursive: true });
    using journal = new JournalWriter(file, (record) => {
      hasGrown?.();
      if (record.t !== "cast") return;
      for (const [id, version] of Object.entries(record.versions)) versions.set(id, version);
    });
    const hasGrown = watch?.begin(name, file);
    const number = ++this.#count;
    try {
      const told = await tell({
        plan,
        deployment: stage.deployment,
        journal,
        roomVersion,
        suffix: `${stage.runId.slice(-4)}${number.toString(36)}`,
        run: stage.runId,
        tool: `crucible ${harnessVersion()}`,
        signal: stage.signal,
        judge: (records, epoch) => judgeAll(records, epoch, checkers),
        isOver: (epoch) => {
          display.judged(epoch.verdicts);
          if (!isQuiet) display.line(epochLine(epoch));
          return failuresIn(epoch).length > 0 || isOver?.() === true;
        },
        onBegun: (status) => display.follow(status),
        progress: (line) => display.doing(line),
        hands: watch?.hands,
        encryption: {
          logFolder: path.join(stage.folder, "clients"),
          explain: (unread, epoch) =>
            this.#utdPages.explain(unread, {
              journal: file,
              epoch,
              seed: plan.seed,
              again: this.again(path.basename(file)),
            }),
        },
      });
      const failed = told.epochs.find((epoch) => failuresIn(epoch).length > 0);
      const ends = journal.records.flatMap((record) =>
        record.t === "state" && record.moment === "quiescent" ? [record.extremities.length] : [],
      );
      const extremities = Math.max(0, ...ends);
      const story = asTold(plan, journal.records);
      return { plan: story, told, journal: file, failed, extremities, records: journal.records };
    } finally {
      display.follow(undefined);
    }
  }

  /** Command that tells a plan or a journal again. */
  again(file: string): string {
    return retellCommand(file, this.#options);
  }

  /** Forgets a story that nobody needs. */
  drop({ journal }: Story): void {
    rmSync(journal, { force: true });
    this.#utdPages.drop(journal);
  }
}

export function failuresIn({ verdicts }: Epoch): readonly CheckerVerdict[] {
  return verdicts.filter(({ outcome }) => outcome === "fail");
}

function epochLine({ number, recovery, verdicts }: Epoch): string {
  const { mode, fromHealMs, detectionMs } = recovery;
  const agreed =
    fromHealMs === null
      ? "servers did not agree"
      : `servers agreed ${fromHealMs} ms after the heal (${mode}, found out within ${detectionMs} ms)`;
  return `epoch ${number}: ${agreed}; ${countsOf(verdicts)}`;
}
