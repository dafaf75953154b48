/** What checks of sliding sync share: each dialect that the server offers, connections, and answers that break a rule. */
import { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import {
  DIALECTS,
  type Dialect,
  STABLE_PATH,
  UNSTABLE_PATH,
} from "#harness/clients/sliding-sync/dialect";
import { CheckFailure } from "#harness/errors";
import type { Rewrite, Rule } from "#harness/gateway/rule";
import type { Mutant } from "#harness/world/check";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** One dialect within a check. */
export interface Sync {
  readonly world: World;
  readonly dialect: Dialect;
  /** A new connection. @param connId none unless given */
  connection(session: Session, connId?: string): SlidingConnection;
}

/** Runs the body once for each dialect that the server offers, one after the other. */
export async function inEachDialect(
  world: World,
  body: (sync: Sync) => Promise<void>,
): Promise<void> {
  const offered = DIALECTS.filter(({ feature }) => world.has(feature));
  if (offered.length === 0) world.needs("sliding-sync");
  for (const dialect of offered) await inDialect(world, dialect, body);
}

/** Runs the body in one dialect. */
export async function inDialect(
  world: World,
  dialect: Dialect,
  body: (sync: Sync) => Promise<void>,
): Promise<void> {
  world.needs(dialect.feature);
  try {
    await body({
      world,
      dialect,
      connection: (session, connId) =>
        new SlidingConnection(session, dialect, {
          ...(connId === undefined ? {} : { connId }),
          onViolation: ({ requirement, expected, actual }, http) =>
            world.violation(requirement, expected, actual, http),
        }),
    });
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    throw new CheckFailure(
      `${error.expected} (${dialect.name} dialect)`,
      error.actual,
      error.exchange,
    );
  }
}

type Match = Partial<Rule["match"]>;

/** One rule, in either dialect. */
export function inBothDialects(
  name: string,
  match: Match,
  rule: Pick<Rule, "phase" | "action">,
): Mutant {
  const paths = [STABLE_PATH, UNSTABLE_PATH];
  return { name, rules: paths.map((path) => ({ match: { path, ...match }, ...rule })) };
}

/** A server whose answers are changed like this. */
export function answers(
  name: string,
  change: Omit<Rewrite, "method" | "path">,
  match: Match = {},
): Mutant {
  const action = { kind: "rewrite" as const, ...change };
  return inBothDialects(name, { status: 200, ...match }, { phase: "processed", action });
}

/** A server that answers requests which it should refuse, or the other way round. */
export function answersInstead(
  name: string,
  status: number,
  body: NonNullable<Rewrite["body"]>,
  match: Match = {},
): Mutant {
  const action = { kind: "rewrite" as const, status, body };
  return inBothDialects(name, match, { phase: "processed", action });
}

/** A server that reads each request as if the second text of a pair stood where the first does. */
export function reads(
  name: string,
  replace: readonly (readonly [string, string])[],
  match: Match = {},
): Mutant {
  return inBothDialects(name, match, { phase: "before", action: { kind: "rewrite", replace } });
}

/** A server that takes requests, all or those which contain a text, as the first of a connection. */
export function forgets(name: string, contains?: string): Mutant {
  const match = contains === undefined ? {} : { contains };
  return {
    name,
    rules: [
      {
        match: { path: STABLE_PATH, ...match },
        phase: "before",
        action: { kind: "rewrite", remove: ["/pos"] },
      },
      {
        match: { path: UNSTABLE_PATH, ...match },
        phase: "before",
        action: { kind: "rewrite", path: `${UNSTABLE_PATH}?timeout=0` },
      },
    ],
  };
}

/** How often an event came in a room's timeline, as the connection's client shows it. */
export function eventCount({ view }: SlidingConnection, roomId: string, eventId: string): number {
  const events = view.room(roomId)?.timeline.flat() ?? [];
  return events.filter(({ event_id }) => event_id === eventId).length;
}
