/** Checks that run only when a setting asks for them. */
import type { RunInfo } from "./run-info.ts";

/** `search`: random, for as long as `--property-seconds` says. `measurement`: of accounts of given sizes, with `--perf`. */
export type Kind = "search" | "measurement";

type Asked = Pick<RunInfo, "propertySeconds" | "accountSizes">;

/** For an account, and what is then measured, however few rooms it has. */
const ACCOUNT_MS = 120_000;
const ROOM_MS = 2_000;

const KINDS = {
  search: {
    what: "random search needs --property-seconds",
    ms: ({ propertySeconds }: Asked) => propertySeconds * 1000,
  },
  measurement: {
    what: "a measurement needs --perf",
    ms: ({ accountSizes }: Asked) =>
      accountSizes.reduce((sum, rooms) => sum + ACCOUNT_MS + rooms * ROOM_MS, 0),
  },
} satisfies Record<Kind, { what: string; ms: (run: Asked) => number }>;

/** Why a check does not run; undefined: it does. */
export function whyNotAsked(kind: Kind | undefined, run: Asked): string | undefined {
  if (kind === undefined || KINDS[kind].ms(run) > 0) return undefined;
  return KINDS[kind].what;
}

/** Time beyond its deadline that a check gets. */
export function extraMs(kind: Kind | undefined, run: Asked): number {
  return kind === undefined ? 0 : KINDS[kind].ms(run);
}
