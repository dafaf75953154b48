/** The language of the search: which fields there are, and how a query falls into words. */

/** What each field finds, for readers. */
export const SEARCH_FIELDS = {
  type: "part of the type",
  sender: "part of the sender",
  server: "part of the sender's server",
  key: "part of the state key",
  id: "part of the id or name",
  state: "yes: state events; no: messages",
  rejected: "yes: what the rules reject",
  softfailed: "yes: what a server soft-failed",
  missing: "what never came to a server: missing:two.test",
  conflict: "yes: where states that differ meet",
  fork: "yes: what several events follow",
  merge: "yes: what follows several events",
  after: "later than a record's number, a time (UTC) or an event",
  before: "earlier than such",
  ancestor: "what an event follows, all the way up: ancestor:$id",
  descendant: "what follows an event, all the way down",
  "auth-of": "what an event cites, and what that cites, all the way up",
} as const;

export type SearchField = keyof typeof SEARCH_FIELDS;

export interface SearchWord {
  /** As it was written, without the `-`. */
  readonly word: string;
  readonly isNegated: boolean;
  /** Undefined: text, wherever it stands. It need not be one that there is. */
  readonly field: string | undefined;
  /** Without quotes. */
  readonly value: string;
}

const WORD = /(-)?(?:([\w-]+):)?(?:"([^"]*)"?|(\S+))/g;

/** A quote that is not closed goes to the end. */
export function wordsIn(query: string): readonly SearchWord[] {
  return Array.from(query.matchAll(WORD), ([whole, minus, field, quoted, plain = ""]) => {
    // A field with nothing after it was taken for a text.
    const bare = field === undefined ? /^([\w-]+):$/.exec(quoted ?? plain)?.[1] : undefined;
    return {
      word: minus === undefined ? whole : whole.slice(1),
      isNegated: minus !== undefined,
      field: (field ?? (quoted === undefined ? bare : undefined))?.toLowerCase(),
      value: bare === undefined || quoted !== undefined ? (quoted ?? plain) : "",
    };
  });
}
