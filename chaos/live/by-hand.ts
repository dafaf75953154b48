/** Commands of people as steps of a plan. */
import { pairs } from "#chaos/generate/partitions";
import type { JournalRecord } from "#chaos/journal/record";
import { type Operation, type Plan, rolesOf, type Step } from "#scenarios/plan";
import type { Sampled } from "./eyes.ts";
import { type Command, refusal } from "./hands.ts";
import type { Trouble } from "./trouble.ts";
import { words } from "./words.ts";

export interface Surroundings {
  readonly plan: Plan;
  readonly trouble: Trouble;
  /** Who is in which room now, by the plan's name of the room. */
  readonly sample: () => Promise<ReadonlyMap<string, readonly Sampled[]>>;
  /** Another one each time; names of the plan are not to be used twice. */
  readonly nextName: () => string;
}

/** What a name begins with that a person's step has: their faults and operations are told from those of the plan by it. */
const BY_HAND = "by-hand-";

export function isByHand({ id }: { readonly id: string }): boolean {
  return id.startsWith(BY_HAND);
}

/** Names for steps by hand, none of which the plan has: it may be one that people had their hands in before. */
export function namesFor(plan: Plan): () => string {
  const text = JSON.stringify(plan);
  let last = 0;
  return () => {
    do last++;
    while (text.includes(`"${BY_HAND}${last}`));
    return `${BY_HAND}${last}`;
  };
}

/** @throws HarnessError BAD_USAGE for what makes no sense now */
export async function stepsOf(command: Command, around: Surroundings): Promise<readonly Step[]> {
  const { plan, trouble } = around;
  switch (command.do) {
    case "cut": {
      const { link, how } = command;
      if (!pairs(rolesOf(plan)).includes(link)) throw refusal(`there is no link ${link}`);
      const same = trouble.faultsInForce.find(
        (step) => step.links.includes(link) && (isByHand(step) || step.fault === how),
      );
      if (same !== undefined) throw refusal(`${link} is cut already: ${words(same)}`);
      return [{ fault: how, id: around.nextName(), links: [link], title: `${how} by hand` }];
    }
    case "heal": {
      const { link } = command;
      const found = trouble.faultsInForce.filter(
        ({ links }) => link === undefined || links.includes(link),
      );
      if (found.length === 0) throw refusal(`${link ?? "every link"} is whole already`);
      return [{ heal: found.map(({ id }) => id) }];
    }
    case "server": {
      const { server, action } = command;
      if (!rolesOf(plan).includes(server)) throw refusal(`there is no server ${server}`);
      return [{ server, action }];
    }
    case "nudge":
      return nudges(await around.sample(), around.nextName);
    case "check":
      return [{ converge: "nudged" }];
  }
}

/** The plan as it was told: with what people did in the places where they did it. */
export function asTold(plan: Plan, records: readonly JournalRecord[]): Plan {
  const hands = records.filter((record) => record.t === "by-hand");
  if (hands.length === 0) return plan;
  const steps: Step[] = [];
  for (let at = 0; at <= plan.steps.length; at++) {
    for (const { before, steps: own } of hands) if (before === at) steps.push(...own);
    steps.push(...plan.steps.slice(at, at + 1));
  }
  return { ...plan, steps };
}

function nudges(
  sampled: ReadonlyMap<string, readonly Sampled[]>,
  nextName: () => string,
): readonly Step[] {
  const steps = [...sampled].flatMap(([room, samples]): readonly Step[] => {
    const inRoom = samples.filter((one) => typeof one === "object");
    const [first, ...others] = inRoom.map(
      ({ user }): Operation => ({
        op: "message",
        id: nextName(),
        by: user.name,
        room,
        text: "nudge",
      }),
    );
    if (first === undefined) return [];
    return [others.length === 0 ? first : { together: [first, ...others] }];
  });
  if (steps.length === 0) throw refusal("nobody is seen to be in a room");
  return steps;
}
