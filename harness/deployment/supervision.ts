/** What happens when a component ends by itself: it is told, and started again, a few times. */
import { describe } from "#harness/errors";
import type { ServerCapabilities } from "./contract.ts";

/** A component that dies more often than this is left dead: its checks end as errors instead of waiting for it. */
const MAX_REVIVALS = 3;

export interface Supervision {
  /** To be called once it runs: what ends before has not started, which whoever started it tells. */
  readonly watch: (component: {
    readonly capabilities: Pick<ServerCapabilities, "hasLogs" | "restartable">;
  }) => void;
  readonly onUnexpectedExit: (how: string) => void;
  /** Times in which it was down without having been asked to, epoch milliseconds; the last one may go on. */
  readonly outages: readonly Outage[];
}

export interface Outage {
  readonly role: string;
  readonly how: string;
  readonly from: number;
  readonly to?: number;
}

export interface SupervisionContext {
  readonly signal: AbortSignal;
  /** The deployment has already been told to restart it when it can. */
  readonly onDeath: (role: string, how: string, tail: readonly string[]) => void;
}

export function supervise(role: string, { signal, onDeath }: SupervisionContext): Supervision {
  let watched: Parameters<Supervision["watch"]>[0] | undefined;
  let revivals = 0;
  const outages: Outage[] = [];
  const onUnexpectedExit = async (how: string) => {
    if (watched === undefined || signal.aborted) return;
    const { hasLogs, restartable } = watched.capabilities;
    const outage: Outage = { role, how, from: Date.now() };
    outages.push(outage);
    onDeath(role, how, (await hasLogs?.tail(15)) ?? []);
    if (++revivals > MAX_REVIVALS || restartable === undefined) return;
    try {
      await restartable.restart();
      outages[outages.indexOf(outage)] = { ...outage, to: Date.now() };
    } catch (error) {
      onDeath(role, `did not come back: ${describe(error)}`, []);
    }
  };
  return {
    watch: (component) => {
      watched = component;
    },
    onUnexpectedExit: (how) => void onUnexpectedExit(how),
    outages,
  };
}
