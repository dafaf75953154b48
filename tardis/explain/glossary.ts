/** Terms of the field that sentences and panes use, told in words: the only table of them. */

export interface Term {
  /** Of letters and hyphens; never changes. */
  readonly id: string;
  /** As people write it; the first is its name. */
  readonly written: readonly string[];
  readonly meaning: string;
  /** Where it comes from: section of the specification, MSC, or whose word it is. */
  readonly source: string;
}

const V2 = "room version 2, state resolution";
const SERVERS = "Server-Server API";
const SYNAPSE = "Synapse, room DAG concepts";

export const TERMS: readonly Term[] = [
  {
    id: "pdu",
    written: ["PDU", "PDUs"],
    meaning:
      "Persistent data unit: an event as servers send it to each other and keep it, with its hashes and signatures.",
    source: `${SERVERS}, PDUs`,
  },
  {
    id: "auth-event",
    written: ["auth event", "auth events"],
    meaning:
      "An event that another one cites to show that it is allowed: the creation of the room, the power levels, the sender's membership, and what its kind needs besides.",
    source: `${SERVERS}, auth events selection`,
  },
  {
    id: "auth-chain",
    written: ["auth chain", "auth chains"],
    meaning:
      "All that an event cites as auth events, all that those cite, and so on, back to the start of the room.",
    source: `${V2}, definitions`,
  },
  {
    id: "auth-difference",
    written: ["auth difference"],
    meaning: "Events that are in the auth chains of some of the states that meet, and not of all.",
    source: `${V2}, definitions`,
  },
  {
    id: "state-resolution",
    written: ["state resolution"],
    meaning:
      "How a server makes one state of several, where branches of the room meet: all servers that know the same events come to the same.",
    source: V2,
  },
  {
    id: "unconflicted-state",
    written: ["unconflicted state", "unconflicted state map"],
    meaning: "Keys that all of the states that meet have, with the same event.",
    source: `${V2}, definitions`,
  },
  {
    id: "full-conflicted-set",
    written: ["full conflicted set"],
    meaning:
      "All that is decided anew: the conflicted set and the auth difference; since v2.1 the conflicted state subgraph too.",
    source: `${V2}, definitions; MSC4297`,
  },
  {
    id: "conflicted-set",
    written: ["conflicted set", "conflicted state set"],
    meaning: "The events of all keys that the states that meet do not have with the same event.",
    source: `${V2}, definitions`,
  },
  {
    id: "conflicted-state-subgraph",
    written: ["conflicted state subgraph"],
    meaning:
      "Events on the ways of citations that lead from one conflicted event to another one. Only v2.1 has it.",
    source: "MSC4297",
  },
  {
    id: "power-event",
    written: ["power event", "power events"],
    meaning:
      "An event that may take somebody's rights away: power levels, join rules, and a kick or ban of another user. They are decided before all others.",
    source: `${V2}, definitions`,
  },
  {
    id: "reverse-topological-power-ordering",
    written: ["reverse topological power ordering"],
    meaning:
      "The order of power events: each after those that it cites; of several that could come next the one whose sender has more power, then the earlier time, then the smaller event id.",
    source: `${V2}, definitions`,
  },
  {
    id: "iterative-auth-checks",
    written: ["iterative auth checks"],
    meaning:
      "Events one after the other are checked against the state so far: what is allowed is put into it, what is not is passed over.",
    source: `${V2}, definitions`,
  },
  {
    id: "mainline",
    written: ["mainline", "mainline ordering"],
    meaning:
      "The power levels that have been decided, those that they cite, and so on. Other events are ordered by the one of them that they lead to, the oldest first, then by time, then by event id.",
    source: `${V2}, definitions`,
  },
  {
    id: "state-reset",
    written: ["state reset"],
    meaning:
      "A key goes back to an older event although nobody has set it again: state resolution has brought it back.",
    source: "MSC4297",
  },
  {
    id: "rejected",
    written: ["rejected"],
    meaning:
      "Not allowed by what it cites, or by the state before it: it counts for nothing, no client is shown it, and no new event follows it.",
    source: `${SERVERS}, rejection`,
  },
  {
    id: "soft-failed",
    written: ["soft-failed", "soft_failed"],
    meaning:
      "Allowed where it stands in the room, and not by the state that the server has now: it is kept, but no client is shown it and no new event of that server follows it.",
    source: `${SERVERS}, soft failure`,
  },
  {
    id: "outlier",
    written: ["outlier"],
    meaning:
      "An event that a server has without knowing the state before it, mostly since another one cites it.",
    source: SYNAPSE,
  },
  {
    id: "extremity",
    written: ["extremity", "extremities", "forward extremity", "forward extremities"],
    meaning: "An event that no other one follows yet at that server: its next event will.",
    source: SYNAPSE,
  },
  {
    id: "state-group",
    written: ["state group", "state groups"],
    meaning:
      "The number under which a Synapse keeps one state of a room; many events may have the same.",
    source: SYNAPSE,
  },
  {
    id: "depth",
    written: ["depth"],
    meaning: "One more than the greatest depth of what it follows, as its server claims.",
    source: `${SERVERS}, PDU fields`,
  },
  {
    id: "nudge",
    written: ["nudge", "nudged", "nudges"],
    meaning:
      "A message that a chaos run has each server say once all faults are over, so that servers tell each other what they have.",
    source: "docs/chaos.md",
  },
  {
    id: "backfill",
    written: ["backfill"],
    meaning: "A server asks another one for events from before those that it has.",
    source: `${SERVERS}, backfilling`,
  },
  {
    id: "get-missing-events",
    written: ["get_missing_events"],
    meaning:
      "A server asks for what lies between the events that it has and one that has just come.",
    source: `${SERVERS}, retrieving missing events`,
  },
  {
    id: "send-join",
    written: ["send_join"],
    meaning:
      "A server sends its user's join to one that is in the room, and gets the state before it with its auth chain.",
    source: `${SERVERS}, joining rooms`,
  },
];

const BY_TEXT: ReadonlyMap<string, Term> = new Map(
  TERMS.flatMap((term) => term.written.map((text) => [text.toLowerCase(), term] as const)),
);

/** The longest first; as words of their own, not as parts of ids, types or names. */
const PATTERN = new RegExp(
  `(?<![\\w$@!#.:/-])(?:${[...BY_TEXT.keys()].sort((a, b) => b.length - a.length).join("|")})(?![\\w-]|[.:]\\w)`,
  "giu",
);

export interface Part {
  readonly text: string;
  /** Undefined for what is no term. */
  readonly term: Term | undefined;
}

/**
 * A text in parts, in order and whole.
 *
 * @param known terms that have been told already; gets those that are in it, each of which is marked once
 */
export function partsOf(text: string, known: Set<Term> = new Set()): readonly Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const { index, 0: found } of text.matchAll(PATTERN)) {
    const term = BY_TEXT.get(found.toLowerCase());
    if (term === undefined || known.has(term)) continue;
    known.add(term);
    if (index > end) parts.push({ text: text.slice(end, index), term: undefined });
    parts.push({ text: found, term });
    end = index + found.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), term: undefined });
  return parts;
}

/** @throws Error for what is in no table */
export function termNamed(written: string): Term {
  const term = BY_TEXT.get(written);
  if (term === undefined) throw new Error(`no term ${written}`);
  return term;
}
