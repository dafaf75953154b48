/** A chaos run: the corpus first, then stories from the seed until the time is over, and what failed made small. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type GenerateOptions, generatePlan, PROMISED_EPOCHS } from "#chaos/generate/generate";
import { kindsIn } from "#chaos/generate/kinds";
import { firstEpochs } from "#chaos/shrink/reduce";
import { describe, HarnessError } from "#harness/errors";
import { operationsOf, type Plan } from "#scenarios/plan";
import { coverageOf, exitCodeOf, type Promised, unknowns } from "./conclusion.ts";
import { Display } from "./display.ts";
import { plansIn, writePlan } from "./files.ts";
import { KeyMessages } from "./key-messages.ts";
import { breakPeer, idle, type MutantName } from "./mutants.ts";
import { EPOCHS } from "./plans.ts";
import { type ChaosReport, type Failure, storyOf, Tally } from "./report.ts";
import { type RoomFile, writeRooms } from "./room-files.ts";
import { Series } from "./series.ts";
import { type Budget, shrinkStory } from "./shrinking.ts";
import { authFlags, hasAuth, onStage, type StageOptions } from "./stage.ts";
import { writeStoryPage } from "./story-page.ts";
import { failuresIn, type Story, Storyteller } from "./storyteller.ts";
import { writeSummary } from "./summary-file.ts";
import { openWatch } from "./watch.ts";

export interface ChaosOptions {
  readonly settings: StageOptions["settings"];
  readonly seed: number;
  /** Milliseconds after which no further epoch begins. */
  readonly durationMs: number;
  readonly servers: number;
  readonly plans: Omit<GenerateOptions, "seed" | "servers" | "epochs">;
  readonly checkers: readonly string[] | undefined;
  readonly corpus: string;
  readonly mutant: MutantName | undefined;
  /** Figures over time, and nothing kept of stories that went well. */
  readonly isSoak: boolean;
  readonly budget: Budget;
  /** Port of a page that shows the run while it goes on, and lets people have a hand in it; undefined: none. */
  readonly watchPort: number | undefined;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using watch =
    options.watchPort === undefined ? undefined : await openWatch(options.watchPort);
  using display = new Display((news) => watch?.tell(news));
  if (watch !== undefined) display.line(`watch and play: ${watch.url}`);
  const { settings, seed, servers } = options;
  const corpus = plansIn(options.corpus).filter(
    (plan) => plan.servers <= servers && (plan.auth !== true || hasAuth(settings)),
  );
  const troubles: string[] = [];
  const onTrouble = (line: string) => troubles.push(line);
  const stageOptions = {
    settings,
    servers,
    isTraced: !options.isSoak || options.plans.devices !== undefined,
    progress: display.line.bind(display),
    onTrouble,
  };
  return await onStage(stageOptions, async (stage) => {
    const toDevice = { count: 0 };
    using keys = new KeyMessages(stage.deployment);
    const teller = new Storyteller({
      stage,
      display,
      roomVersion: undefined,
      hs: settings.hs,
      auth: authFlags(settings),
      checkers: options.checkers,
      watch,
      mutant: options.mutant,
      broken: (versions, isRetold) =>
        breakPeer(options.mutant, { stage, seed, versions, toDevice, isRetold }),
    });
    using series = options.isSoak ? new Series(stage.folder, stage.deployment) : undefined;
    const began = Date.now();
    const tally = new Tally();
    const journals: string[] = [];
    const rooms: RoomFile[] = [];
    let failed: Story | undefined;
    let failure: Failure | undefined;
    let growth: ReturnType<Series["growth"]> | undefined;
    let firstEpochsTold = 0;
    const take = (story: Story) => {
      tally.add(story);
      if (series !== undefined) series.extremities = story.extremities;
      if (options.isSoak && story.failed === undefined) teller.drop(story);
      else {
        journals.push(story.journal);
        rooms.push(...writeRooms(story));
      }
    };
    let at = 0;
    try {
      for (const plan of inTurn(corpus, stories(options))) {
        const isOver = () => Date.now() - began >= options.durationMs;
        const isOfCorpus = at < corpus.length;
        if (at > 0 && !isOfCorpus && isOver()) break;
        at++;
        display.line(`story ${at}: ${plan.title}`);
        const story = await teller.tell(plan, {
          name: `story-${at}`,
          ...(isOfCorpus ? {} : { isOver }),
        });
        take(story);
        if (at === corpus.length + 1) firstEpochsTold = story.told.epochs.length;
        if (story.failed === undefined) continue;
        failed ??= story;
        // What takes long to come is looked for in spite of what comes soon.
        if (!options.isSoak) break;
      }
      growth = series?.growth();
      if (failed !== undefined) {
        watch?.hands.close("a story has failed");
        failure = await explain(failed, teller, display, stage.folder, options.budget);
      }
    } catch (error) {
      if (!stage.signal.aborted) throw error;
      troubles.push("it was interrupted");
      const open = path.join(stage.folder, `story-${at}.replay.ndjson`);
      if (!journals.includes(open) && existsSync(open)) journals.push(open);
    }
    const summary = tally.summary();
    const { broken, notReached } = coverageOf(promiseOf(options), {
      epochs: firstEpochsTold,
      faults: summary.faults,
      unable: tally.unable,
      isByHand: tally.byHand > 0,
    });
    troubles.push(...broken, ...unknowns(summary.checkers));
    const unproven = idle(options.mutant, toDevice);
    if (unproven !== undefined) troubles.push(unproven);
    const report: ChaosReport = {
      run: stage.folder,
      deployment: stage.deployment.facts.name,
      seed,
      seconds: Math.round((Date.now() - began) / 1000),
      ...summary,
      ...(options.plans.devices === undefined ? {} : { keyMessages: keys.count }),
      ...(options.mutant === undefined ? {} : { mutant: options.mutant }),
      journals,
      rooms,
      ...(series === undefined ? {} : { series: series.file, growth: growth ?? series.growth() }),
      notReached,
      troubles,
      ...(failure === undefined ? {} : { failure }),
      exitCode: exitCodeOf({
        isInterrupted: stage.signal.aborted,
        hasFailed: failure !== undefined,
        troubles,
      }),
    };
    writeFileSync(path.join(stage.folder, "chaos.json"), `${JSON.stringify(report, null, 1)}\n`);
    writeSummary(report);
    return report;
  });
}

function* inTurn<T>(first: Iterable<T>, then: Iterable<T>): Iterable<T> {
  yield* first;
  yield* then;
}

/** Without an end. */
function* stories(options: ChaosOptions): Iterable<Plan> {
  for (let number = 0; ; number++) yield storyAt(options, number, EPOCHS);
}

function storyAt({ seed, servers, plans }: ChaosOptions, number: number, epochs: number): Plan {
  return generatePlan({ ...plans, seed: seed + number, servers, epochs });
}

/** What the first story has to show. */
function promiseOf(options: ChaosOptions): Promised {
  const planned = kindsIn(storyAt(options, 0, PROMISED_EPOCHS));
  return { chosen: options.plans.faults, planned, epochs: PROMISED_EPOCHS };
}

async function explain(
  story: Story,
  teller: Storyteller,
  display: Display,
  folder: string,
  budget: Budget,
): Promise<Failure> {
  const epoch = story.failed?.number ?? 1;
  const plan = firstEpochs(story.plan, epoch);
  const file = path.join(folder, "failed-plan.json");
  writePlan(file, plan);
  const failure = {
    checkers: (story.failed === undefined ? [] : failuresIn(story.failed)).map(
      ({ checker }) => checker,
    ),
    epoch,
    plan: file,
    operations: operationsOf(plan).length,
    replay: await writeStoryPage(story.journal),
  };
  for (const checker of failure.checkers) display.line(`${checker} failed`);
  if (budget.replays === 0) return failure;
  try {
    const shrunk = await shrinkStory({ ...story, plan }, teller, display, budget);
    const smallest = path.join(folder, "story.json");
    const isSmaller = operationsOf(shrunk.plan).length < failure.operations;
    const words = storyOf(shrunk.plan);
    const named = {
      ...shrunk.plan,
      id: `${shrunk.plan.id}-shrunk`,
      title: `${failure.checkers.join(", ")} fails: ${shrunk.plan.title}`,
      story: words.join("; "),
    };
    writePlan(smallest, isSmaller ? named : shrunk.plan);
    return {
      ...failure,
      shrunk: {
        plan: smallest,
        again: teller.again(smallest),
        journal: shrunk.story.journal,
        operations: operationsOf(shrunk.plan).length,
        replays: shrunk.replays,
        isMinimal: shrunk.isMinimal,
        story: words,
        findings: shrunk.failures.flatMap(({ findings }) => findings).slice(0, 10),
        rooms: writeRooms(shrunk.story),
        replay:
          shrunk.story.journal === story.journal
            ? failure.replay
            : await writeStoryPage(shrunk.story.journal),
      },
    };
  } catch (error) {
    if (error instanceof HarnessError && error.code === "INTERRUPTED") throw error;
    display.line(`it could not be made smaller: ${describe(error)}`);
    return failure;
  }
}
