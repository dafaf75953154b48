/** What the page asks its worker, and what it is told. All of it is plain data, and all texts are fit to be shown. */
import type { Explanation } from "#tardis/explain/explanation";
import type { FileText } from "#tardis/formats/load";
import type { Level } from "#tardis/layout/edge-index";
import type { Edges } from "#tardis/model/graph";
import type { Moment } from "./failing-moment.ts";
import type { ServersView } from "./servers-messages.ts";

export const ROW_KINDS = ["create", "member", "power", "join-rules", "state", "message"] as const;
export type RowKind = (typeof ROW_KINDS)[number];

/** One text a row, in one. */
export interface Texts {
  readonly all: string;
  /** By row, where its text ends; it begins where the one before ends. */
  readonly ends: Uint32Array;
}

/** By row, the fields of RowView. */
export interface RowColumns {
  readonly size: number;
  readonly ids: Texts;
  readonly shorts: Texts;
  readonly labels: Texts;
  readonly senders: Texts;
  readonly server: Uint32Array;
  readonly time: Float64Array;
  readonly seq: Float64Array;
  /** Of ROW_KINDS. */
  readonly kind: Uint8Array;
  readonly hasGap: Uint8Array;
}

export interface RowView {
  readonly id: string;
  /** Its name in a scenario, or the beginning of its id, to be shown. */
  readonly short: string;
  readonly label: string;
  readonly sender: string;
  /** Of LoadedView.servers: that of its sender. */
  readonly server: number;
  /** Milliseconds since 1970, as the sender claims. */
  readonly time: number;
  readonly seq: number;
  readonly kind: RowKind;
  readonly hasGap: boolean;
}

/** Rows between which a fault was in force, as fractions of places in the list. */
export interface FaultView {
  readonly text: string;
  readonly from: number;
  readonly to: number;
  readonly isLink: boolean;
}

export interface StepView {
  readonly row: number;
  readonly time: number;
  readonly text: string;
  readonly isOk: boolean | null;
}

export interface LayoutAsk {
  readonly isFolded: boolean;
  /** A band of lanes for each server. */
  readonly isByServer: boolean;
  /** The only rows, both ends included. */
  readonly range: readonly [first: number, last: number] | undefined;
  /** Rows of the cursor, and of what else is not folded. */
  readonly row: number;
  readonly kept: Uint32Array;
  /** Runs that are not folded: their newest rows, and how long they are. */
  readonly unfolded: readonly (readonly [newest: number, count: number])[];
  /** Whose extremities are not folded; undefined: those of all that is above the cursor. */
  readonly server: number | undefined;
}

/** The lines of the graph, and where each event stands: a place is a line of the list. */
export interface LayoutView {
  /** By place, ascending. */
  readonly rows: Uint32Array;
  /** Between places; what is above none of them is below 0. */
  readonly edges: Edges;
  /** By place. */
  readonly lane: Uint32Array;
  readonly lanes: number;
  readonly top: Int32Array;
  readonly levels: readonly Level[];
  /** By edge, how many rows are folded on its way, and the newest of them, or -1; empty where nothing is. */
  readonly hidden: Uint32Array;
  readonly through: Int32Array;
}

export interface LoadedView {
  readonly title: string;
  readonly rooms: readonly { readonly id: string; readonly version: string }[];
  readonly servers: readonly string[];
  /** Who recorded what arrived. */
  readonly recorded: readonly number[];
  readonly rows: RowColumns;
  /** Between rows: what events follow, what they cite, and whose state they follow. */
  readonly edges: Edges;
  readonly cited: Edges;
  readonly stateFollowed: Edges;
  readonly layout: LayoutView;
  readonly faults: readonly FaultView[];
  readonly steps: readonly StepView[];
  readonly problems: readonly string[];
  readonly gaps: number;
  /** Where the file wants to be opened: the first failure, else the end. */
  readonly start: Moment;
  /** What is not in it. */
  readonly notice: string | undefined;
}

/** Bits of a row, once its room has been replayed. */
export const MERGES = 1;
export const CONFLICTS = 2;
export const REJECTED = 4;
export const UNEXPECTED = 8;

export interface JudgedView {
  /** By row. */
  readonly flags: Uint8Array;
  /** How many keys files expect, and how many come out otherwise. */
  readonly expected: number;
  readonly unexpected: number;
}

export interface Was {
  /** After what, or where. */
  readonly where: string;
  readonly text: string;
  readonly isReset: boolean;
}

export interface StateRow {
  /** `type|state_key`, as it is. */
  readonly key: string;
  readonly what: string;
  readonly change: "same" | "added" | "removed" | "replaced";
  readonly value: string;
  /** Undefined: there is none. */
  readonly event:
    | {
        readonly row: number;
        readonly short: string;
        readonly sender: string;
        /** From when on it has held: `event 12, 18:53:20`; empty where that is not known. */
        readonly since: string;
      }
    | undefined;
  readonly was: readonly Was[];
  readonly isConflicted: boolean;
  /** What a file expects here, and whether it is so. */
  readonly expected: { readonly short: string; readonly isMet: boolean } | undefined;
}

export interface StateView {
  readonly where: string;
  /** What it is compared with. */
  readonly against: string;
  readonly rows: readonly StateRow[];
  /** The key to ask about first. */
  readonly key: string | undefined;
  /** What a scenario says to this event. */
  readonly caption: string | undefined;
}

/** A piece of JSON; with a row where it is the id of that event. */
export interface JsonPart {
  readonly text: string;
  readonly row: number | undefined;
}

export interface EventCheck {
  readonly what: string;
  readonly text: string;
  /** Undefined: nobody knows. */
  readonly isRight: boolean | undefined;
}

export interface EventLink {
  /** Below 0: missing. */
  readonly row: number;
  readonly text: string;
}

export interface EventView {
  readonly summary: string;
  readonly id: string;
  readonly checks: readonly EventCheck[];
  readonly verdict: string;
  readonly json: readonly JsonPart[];
  readonly links: readonly {
    readonly kind: string;
    /** As many as are shown. */
    readonly events: readonly EventLink[];
    readonly count: number;
  }[];
  readonly arrivals: readonly { readonly server: string; readonly text: string }[];
  /** In whose state it is at this moment; none for messages. */
  readonly inStates: readonly { readonly whose: string; readonly text: string }[];
}

/** A step, an exchange or a note of the recording. */
export interface Happening {
  readonly row: number;
  readonly time: number;
  readonly text: string;
  readonly isOk: boolean | null;
  readonly events: readonly EventLink[];
  readonly bodies: readonly { readonly title: string; readonly text: string }[];
}

interface Happenings {
  readonly items: readonly Happening[];
  /** How many there are beside those. */
  readonly earlier: number;
  readonly later: number;
}

export interface RunView {
  readonly steps: Happenings;
  readonly exchanges: Happenings;
  readonly notes: Happenings;
}

export interface LinkView {
  /** `#src=…`; undefined: it fits into none. */
  readonly link: string | undefined;
  readonly problem: string | undefined;
}

export interface SearchView {
  readonly rows: Uint32Array;
  /** Which word can not be read, and why; then nothing is found. */
  readonly problem: string | undefined;
}

export interface CompareView {
  readonly sides: readonly { readonly name: string; readonly title: string }[];
  /** What else could be one. */
  readonly choices: readonly { readonly name: string; readonly title: string }[];
  /** Names that were asked for and say nothing here. */
  readonly unknown: readonly string[];
  /** Keys in which they agree are among the rows. */
  readonly isAll: boolean;
  readonly rows: readonly {
    readonly key: string;
    readonly what: string;
    /** By side; the row is -1 for none, and for an event that is not there. */
    readonly values: readonly { readonly text: string; readonly row: number }[];
    readonly isDiffering: boolean;
  }[];
  /** How many keys they agree in. */
  readonly same: number;
  /** Which is explained: what was asked for, else the first in which they differ. */
  readonly key: string | undefined;
  readonly what: string;
  readonly why: readonly { readonly title: string; readonly sentences: readonly string[] }[];
}

/** A run after edits, or after others than before. */
export interface EditedView {
  readonly loaded: LoadedView;
  /** By row of what was there before: its row now, or -1. */
  readonly rows: Int32Array;
}

/** What can be edited of an event, as it is. */
export interface EditableView {
  /** As edits name it. */
  readonly id: string;
  /** To be shown. */
  readonly text: string;
  readonly time: number;
  /** The same, to be shown. */
  readonly date: string;
  readonly sender: string;
  /** Of its sender; undefined where no levels tell. */
  readonly level: number | undefined;
  /** JSON; undefined for what is too long. */
  readonly content: string | undefined;
  /** As edits name them. */
  readonly parents: readonly string[];
  readonly isCreate: boolean;
  /** Servers, and what came to them before it did, the last first. */
  readonly arrivals: readonly {
    readonly server: string;
    readonly before: readonly { readonly id: string; readonly text: string }[];
  }[];
}

export interface WhatIfRow {
  readonly key: string;
  readonly what: string;
  readonly was: string;
  readonly is: string;
  /** Of the event that it is; -1 for none. */
  readonly row: number;
}

export interface WhatIfView {
  readonly event: EditableView;
  readonly edits: readonly string[];
  readonly where: string;
  /** Keys that differ from the original. */
  readonly rows: readonly WhatIfRow[];
  readonly same: number;
  /** The first of the events whose id is another. */
  readonly ids: readonly {
    readonly row: number;
    readonly name: string;
    readonly was: string;
    readonly is: string;
    readonly why: string;
  }[];
  readonly idCount: number;
  readonly invalid: readonly { readonly name: string; readonly servers: readonly string[] }[];
  readonly verdicts: readonly string[];
  readonly dropped: readonly string[];
}

export interface ShrinkView {
  readonly tried: number;
  readonly left: number;
  readonly isDone: boolean;
  /** The smallest so far. */
  readonly edits: string;
}

/** Whose state: that after an event, or that of what a server had at that moment. */
export interface Where {
  readonly row: number;
  readonly server: number | undefined;
  /** To compare with; what it follows unless given. */
  readonly base: { readonly row: number } | { readonly server: number } | undefined;
}

/** Texts, files that a reader named, or what came with the page: texts as JSON, in gzip, in base64. */
export type Source = readonly (FileText | File)[] | string;

export interface Questions {
  readonly load: {
    readonly ask: { readonly source: Source };
    readonly answer: LoadedView;
  };
  readonly layout: { readonly ask: LayoutAsk; readonly answer: LayoutView };
  /** By row, bits of model/knowledge.ts: what a server had at the moment of a row. */
  readonly knowledge: {
    readonly ask: { readonly row: number; readonly server: number };
    readonly answer: Uint8Array;
  };
  readonly judge: { readonly ask: Record<never, never>; readonly answer: JudgedView };
  readonly state: { readonly ask: Where; readonly answer: StateView };
  readonly explain: {
    readonly ask: Where & { readonly key: string };
    readonly answer: Explanation;
  };
  readonly event: { readonly ask: { readonly row: number }; readonly answer: EventView };
  readonly happenings: { readonly ask: { readonly row: number }; readonly answer: RunView };
  readonly link: { readonly ask: Record<never, never>; readonly answer: LinkView };
  /** Files as a page has them within it. */
  readonly pack: { readonly ask: { readonly source: Source }; readonly answer: string };
  readonly search: { readonly ask: { readonly query: string }; readonly answer: SearchView };
  readonly servers: {
    readonly ask: { readonly row: number };
    readonly answer: ServersView;
  };
  readonly edit: { readonly ask: { readonly edits: string }; readonly answer: EditedView };
  readonly "what-if": { readonly ask: Where; readonly answer: WhatIfView };
  readonly shrink: {
    readonly ask: { readonly row: number; readonly key: string; readonly ms: number };
    readonly answer: ShrinkView;
  };
  readonly scenario: {
    readonly ask: { readonly row: number; readonly key: string | undefined };
    readonly answer: { readonly text: string };
  };
  readonly compare: {
    readonly ask: { readonly row: number; readonly cmp: string; readonly key: string | undefined };
    readonly answer: CompareView;
  };
}

export type QuestionName = keyof Questions;
