/** Spoilt copies of our resolver, which the judge must tell from Synapse's: proof that it can. */
import type { CompiledDag } from "#protocol/dag/dag-file";
import type { RoomEvent } from "#protocol/events/event";
import { answerOf, type Resolver } from "./answer.ts";

/** By what each does wrong. */
export const MUTANTS: Readonly<Record<string, Resolver>> = {
  "newest-first": (dag, version) =>
    answerOf(
      withEvents(dag, (event) => ({ ...event, originServerTs: -event.originServerTs })),
      version,
    ),
  "forgets-rejections": (dag, version) => answerOf({ ...dag, rejected: new Set() }, version),
  "no-subgraph": (dag, version) => answerOf(dag, { ...version, stateResolution: "v2" }),
  "bans-are-kicks": (dag, version) => answerOf(withEvents(dag, bansAsKicks), version),
  "creators-are-users": (dag, version) =>
    answerOf(dag, { ...version, hasPrivilegedCreators: false }),
  "no-notification-limit": (dag, version) =>
    answerOf(dag, { ...version, limitsNotificationLevels: false }),
};

function withEvents(dag: CompiledDag, change: (event: RoomEvent) => RoomEvent): CompiledDag {
  return { ...dag, events: dag.events.map(change) };
}

function bansAsKicks(event: RoomEvent): RoomEvent {
  if (event.content.membership !== "ban") return event;
  return { ...event, content: { ...event.content, membership: "leave" } };
}
