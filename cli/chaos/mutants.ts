/** Servers that are broken on purpose: a chaos run has to find each of them. */
import { dropPdus, hideBans, loseToDevice, oldState } from "#harness/gateway/broken-peers";
import type { Stage } from "./stage.ts";

export const MUTANTS = ["drop-pdus", "hide-ban", "old-state-ids", "lose-to-device"] as const;
export type MutantName = (typeof MUTANTS)[number];

export interface MutantOptions {
  readonly stage: Stage;
  readonly seed: number;
  /** Room versions by room id. */
  readonly versions: ReadonlyMap<string, string>;
  /** How many messages to devices there were in earlier stories. */
  readonly toDevice: { count: number };
}

/** In force until it is disposed of. */
export function breakPeer(
  mutant: MutantName | undefined,
  { stage: { deployment }, seed, versions, toDevice }: MutantOptions,
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
    "lose-to-device": () => loseToDevice({ passed: toDevice }),
  }[mutant]();
  const handles = rules.map((rule) => deployment.gateway.rules.add(rule));
  return {
    [Symbol.dispose]: () => {
      for (const handle of handles) deployment.gateway.rules.remove(handle);
    },
  };
}
