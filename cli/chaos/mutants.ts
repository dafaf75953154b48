/** Servers that are broken on purpose: a chaos run has to find each of them. */
import { HarnessError } from "#harness/errors";
import { endSessions, keepDevices, loseDevices } from "#harness/gateway/broken-delegation";
import { dropPdus, hideBans, loseToDevice, oldState } from "#harness/gateway/broken-peers";
import type { Stage } from "./stage.ts";

/** What goes wrong between auth services, their servers and clients. */
const AUTH_MUTANTS = ["keep-device", "lose-device", "end-session"] as const;
export const MUTANTS = [
  "drop-pdus",
  "hide-ban",
  "old-state-ids",
  "lose-to-device",
  ...AUTH_MUTANTS,
] as const;
export type MutantName = (typeof MUTANTS)[number];

/** @throws HarnessError BAD_USAGE for a mutant that breaks what is not there */
export function requireBreakable(mutant: MutantName | undefined, hasAuth: boolean): void {
  if (hasAuth || !AUTH_MUTANTS.some((name) => name === mutant)) return;
  throw new HarnessError("BAD_USAGE", {
    what: `--mutant ${mutant}: no server has an auth service`,
    next: "add --auth oidc or --mas <spec>",
  });
}

/** Of messages to devices one is lost. */
const LOST_OF = 200;
/** In a story that is told again: it is short, and has to fail each time. */
const LOST_OF_RETOLD = 5;

export interface MutantOptions {
  readonly stage: Stage;
  readonly seed: number;
  /** Room versions by room id. */
  readonly versions: ReadonlyMap<string, string>;
  /** How many messages to devices there were in earlier stories; counted on. */
  readonly toDevice: { count: number };
  /** The story has failed before. */
  readonly isRetold: boolean;
}

/** In force until it is disposed of. */
export function breakPeer(
  mutant: MutantName | undefined,
  { stage: { deployment }, seed, versions, toDevice, isRetold }: MutantOptions,
): Disposable {
  if (mutant === undefined) return { [Symbol.dispose]: () => undefined };
  const versionOf = (room: string) => versions.get(room);
  const roles = [...deployment.servers.keys()];
  const [first = "hs1"] = roles;
  const last = roles.at(-1) ?? first;
  const { rules } = {
    "drop-pdus": () => dropPdus({ seed, versionOf }),
    "hide-ban": () => hideBans({ server: last, versionOf }),
    "old-state-ids": () => oldState({ server: first }),
    "lose-to-device": () =>
      isRetold
        ? loseToDevice({ of: LOST_OF_RETOLD })
        : loseToDevice({ of: LOST_OF, passed: toDevice }),
    "keep-device": keepDevices,
    "lose-device": loseDevices,
    "end-session": endSessions,
  }[mutant]();
  const handles = rules.map((rule) => deployment.gateway.rules.add(rule));
  return {
    [Symbol.dispose]: () => {
      for (const handle of handles) deployment.gateway.rules.remove(handle);
    },
  };
}

/** Why a mutant has proven nothing, as nothing came that it could spoil; undefined: something did, or nobody can tell. */
export function idle(
  mutant: MutantName | undefined,
  toDevice: { count: number },
): string | undefined {
  if (mutant !== "lose-to-device" || toDevice.count >= LOST_OF) return undefined;
  return `${mutant} lost nothing: ${toDevice.count} messages to devices were sent, and it loses the one after each ${LOST_OF - 1}; give it longer, or a higher --intensity`;
}
