/** Tells plans again, on one of three levels: to real servers, to simulated ones, to the protocol alone. */
import { judgeAll } from "#chaos/checkers/checkers";
import { unmetExpectations } from "#chaos/events/expectations";
import type { CheckerVerdict } from "#chaos/journal/record";
import { tell } from "#chaos/oracle/oracle";
import { simulate } from "#chaos/simulation/simulate";
import type { Settings } from "#harness/config/settings";
import type { ReplayPage } from "#harness/results/replays";
import type { Plan } from "#scenarios/plan";
import type { Display } from "./display.ts";
import { unmetIn } from "./ending.ts";
import { breakPeer, type MutantName } from "./mutants.ts";
import { type RoomFile, writeRooms } from "./room-files.ts";
import { authFlags, onStage } from "./stage.ts";
import { writeStoryPage } from "./story-page.ts";
import { Storyteller } from "./storyteller.ts";

export const LEVELS = ["live", "simulation", "oracle"] as const;
export type Level = (typeof LEVELS)[number];

/** One plan told again. */
export interface Retold {
  readonly plan: string;
  readonly ms: number;
  /** Of all epochs; the oracle has none. */
  readonly verdicts: readonly CheckerVerdict[];
  /** What ended otherwise than the plan expects, one line each. */
  readonly unmet: readonly string[];
  /** On real servers. */
  readonly journal?: string;
  /** Of those with a journal: rooms with failures or known resets, looked at without servers. */
  readonly rooms?: readonly RoomFile[];
  /** Of those that failed, the journal as a page. */
  readonly replay?: ReplayPage;
}

export interface RetellOptions {
  readonly settings: Settings;
  readonly display: Display;
  /** Of rooms that name none. */
  readonly roomVersion: string | undefined;
  /** Names; undefined: all. */
  readonly checkers: readonly string[] | undefined;
  readonly onTrouble: (line: string) => void;
  /** Breaks servers as they were when the plans failed. */
  readonly mutant?: MutantName | undefined;
  readonly seed: number;
}

export async function retellLive(
  plans: readonly Plan[],
  { settings, display, roomVersion, checkers, onTrouble, mutant, seed }: RetellOptions,
): Promise<readonly Retold[]> {
  const servers = Math.max(...plans.map((plan) => plan.servers));
  const progress = (line: string) => display.line(line);
  return await onStage({ settings, servers, progress, onTrouble }, async (stage) => {
    const broken = (versions: ReadonlyMap<string, string>, isRetold: boolean) =>
      breakPeer(mutant, { stage, seed, versions, toDevice: { count: 0 }, isRetold });
    const { hs } = settings;
    const told = { hs, auth: authFlags(settings), checkers, mutant };
    const teller = new Storyteller({ stage, display, roomVersion, ...told, broken });
    const retold: Retold[] = [];
    for (const [at, plan] of plans.entries()) {
      display.line(`telling ${plan.id}`);
      const began = Date.now();
      const story = await teller.tell(plan, {
        name: `${at + 1}-${plan.id}`,
        isRetold: true,
      });
      retold.push({
        plan: plan.id,
        ms: Date.now() - began,
        verdicts: story.told.epochs.flatMap(({ verdicts }) => verdicts),
        unmet: unmetIn(plan, story.records),
        journal: story.journal,
        rooms: writeRooms(story),
        ...(story.failed === undefined ? {} : { replay: await writeStoryPage(story.journal) }),
      });
    }
    return retold;
  });
}

export async function retellSimulated(
  plan: Plan,
  seed: number,
  version: string | undefined,
  checkers: readonly string[] | undefined,
): Promise<Retold> {
  const began = Date.now();
  const named = version === undefined ? {} : { version };
  const { records, epochs } = await simulate(plan, { seed, ...named });
  const numbers = Array.from({ length: epochs }, (_, at) => at + 1);
  return {
    plan: plan.id,
    ms: Date.now() - began,
    verdicts: numbers.flatMap((epoch) => judgeAll(records, epoch, checkers)),
    unmet: unmetIn(plan, records),
  };
}

export function retellToOracle(plan: Plan, seed: number, version = "12"): Retold {
  const began = Date.now();
  const { rooms, events } = tell(plan, { seed, version });
  const unmet = [...rooms].flatMap(([name, room]) => {
    const { creator = "", version: own = version } = plan.rooms[name] ?? {};
    return unmetExpectations(plan, name, own, {
      state: room.history.named(room.state(plan.users[creator] ?? "")),
      first: room.first,
      user: (user) => `@${user}:${plan.users[user]}.test`,
      event: (id) => events.get(id),
    });
  });
  return { plan: plan.id, ms: Date.now() - began, verdicts: [], unmet };
}
