/** What a resolution can tell of itself, decision by decision. Ids are event ids; order is the order of decisions. */
import type { Rejection } from "#protocol/auth/rejection";
import type { Slot } from "#protocol/auth/selection";

export interface StateKey {
  readonly type: string;
  readonly stateKey: string;
}

export type ResolutionStep =
  /** A key on which the state sets differ, with its candidates; `isAbsentSomewhere`: a set lacks it. */
  | {
      readonly kind: "conflict";
      readonly key: StateKey;
      readonly candidates: readonly string[];
      readonly isAbsentSomewhere: boolean;
    }
  /** Events in some auth chains of the sets and not in all (v2, v2.1). */
  | { readonly kind: "auth-difference"; readonly ids: readonly string[] }
  /** Events that the conflicted subgraph adds (v2.1), each with the way from a conflicted event to another one. */
  | {
      readonly kind: "subgraph";
      readonly additions: readonly { readonly id: string; readonly path: readonly string[] }[];
    }
  /** Events that are ordered first. */
  | { readonly kind: "power-events"; readonly ids: readonly string[] }
  /** The next of the ordering, out of those that could come next; `by`: the key that decided against the runner-up. */
  | {
      readonly kind: "pick";
      readonly id: string;
      readonly level: number;
      readonly originServerTs: number;
      /** The others, in no order. */
      readonly waiting: readonly string[];
      readonly runnerUp?: string;
      readonly by?: "level" | "origin_server_ts" | "event_id";
    }
  /** One check of the iterative auth checks; `used`: what each part of the state was, and whence. */
  | {
      readonly kind: "check";
      readonly pass: "power" | "ordinary" | "v1";
      readonly id: string;
      readonly used: readonly {
        readonly slot: Slot;
        readonly id: string;
        readonly from: "resolved" | "auth-events" | "room";
      }[];
      readonly rejection?: Rejection;
      /** The event that it replaces in the resolved state. */
      readonly replaces?: string;
    }
  /** Power levels from the resolved ones back; empty when none are resolved. */
  | { readonly kind: "mainline"; readonly ids: readonly string[] }
  /** The ordinary events in order; `position`: of the closest mainline event, 1 the oldest, 0 none. */
  | {
      readonly kind: "mainline-order";
      readonly events: readonly {
        readonly id: string;
        readonly position: number;
        readonly closest?: string;
        readonly originServerTs: number;
      }[];
    }
  /** Version 1: candidates of one key in order of depth, the first that stands. */
  | { readonly kind: "depth-order"; readonly key: StateKey; readonly ids: readonly string[] }
  /** The unconflicted state laid over it replaced an event that a replay had put there. */
  | {
      readonly kind: "restored";
      readonly key: StateKey;
      readonly id: string;
      readonly over: string;
    };

/** Called with each decision, in order. It must not change the graph. */
export type Trace = (step: ResolutionStep) => void;
