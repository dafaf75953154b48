/** The search of the page: rows that meet every word of a query. */

import { didYouMean } from "#harness/suggest";
import { domainOf } from "#protocol/auth/auth-event";
import { shown } from "#tardis/explain/shown";
import { writeJson } from "#tardis/model/json";
import type { Pdu, Run } from "#tardis/model/run";
import { ancestorsOf, authChainOf, descendantsOf, followersOf } from "./kinship.ts";
import { CONFLICTS, REJECTED, type SearchView } from "./messages.ts";
import { momentOf } from "./moment.ts";
import { SEARCH_FIELDS, type SearchField, type SearchWord, wordsIn } from "./search-words.ts";
import type { Session } from "./session.ts";

type Test = (row: number) => boolean;

/** What a word that can not be read is told. */
class Unreadable extends Error {}

const YES: ReadonlySet<string> = new Set(["yes", "true", "1"]);
const NO: ReadonlySet<string> = new Set(["no", "false", "0"]);

/** What readers may look for in an event, by row; kept, since it takes longer to write than to search. */
const TEXTS = new WeakMap<Run, string[]>();

/** Whether a query asks what the rules make of events, which is known only once rooms were replayed. */
export function needsRules(query: string): boolean {
  return wordsIn(query).some(({ field }) => field === "rejected" || field === "conflict");
}

/** None for a query that is empty or has a word that can not be read. */
export function searchRows(session: Session, query: string): SearchView {
  try {
    const tests = wordsIn(query).map((word) => testOf(word, session));
    const rows: number[] = [];
    const count = tests.length === 0 ? 0 : session.run.pdus.length;
    for (let row = 0; row < count; row++) if (tests.every((test) => test(row))) rows.push(row);
    return { rows: Uint32Array.from(rows), problem: undefined };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { rows: new Uint32Array(0), problem: error.message };
  }
}

function testOf(word: SearchWord, session: Session): Test {
  const test = positiveOf(word, session);
  return word.isNegated ? (row) => !test(row) : test;
}

function positiveOf({ word, field, value }: SearchWord, session: Session): Test {
  const { run } = session;
  if (field === undefined) {
    const texts = textsOf(run);
    const text = value.toLowerCase();
    return (row) => texts[row]?.includes(text) === true;
  }
  if (!Object.hasOwn(SEARCH_FIELDS, field)) {
    const near = didYouMean(field, Object.keys(SEARCH_FIELDS));
    const what = `${shown(field)}: is no field, ${near.replace(/\?$/, ":?")}`;
    throw new Unreadable(`${what} Write "${shown(word)}" for the text`);
  }
  return FIELDS[field as SearchField](value, session, shown(word));
}

const FIELDS: Readonly<
  Record<SearchField, (value: string, session: Session, word: string) => Test>
> = {
  type: part(({ event }) => event.type),
  sender: part(({ event }) => event.sender),
  server: part(({ event }) => domainOf(event.sender)),
  key: part(({ event }) => event.stateKey),
  id: part(({ eventId, name }) => `${eventId} ${name ?? ""}`),
  state: yesOr((run) => (row) => run.pdus[row]?.event.stateKey !== undefined),
  rejected: flag(REJECTED),
  conflict: flag(CONFLICTS),
  softfailed: yesOr(({ arrivals }) => {
    const rows = arrivals.flatMap(({ verdict, row }) => (verdict === "soft_failed" ? [row] : []));
    const found = new Set(rows);
    return (row) => found.has(row);
  }),
  missing: (value, { run }, word) => {
    const server = serverIn(run, value, word);
    const has = new Set(run.arrivals.flatMap((one) => (one.server === server ? [one.row] : [])));
    return (row) => !has.has(row);
  },
  fork: yesOr((run) => {
    const followers = followersOf(run.graph);
    return (row) => (followers[row] ?? 0) > 1;
  }),
  merge: yesOr(({ graph: { edges } }) => {
    const { offsets } = edges.prev;
    return (row) => (offsets[row + 1] ?? 0) - (offsets[row] ?? 0) > 1;
  }),
  after: (value, { run }, word) => {
    const moment = laterBy(run, value, word);
    return (row) => moment(row) > 0;
  },
  before: (value, { run }, word) => {
    const moment = laterBy(run, value, word);
    return (row) => moment(row) < 0;
  },
  ancestor: kin(ancestorsOf),
  descendant: kin(descendantsOf),
  "auth-of": kin(authChainOf),
};

function part(textOf: (pdu: Pdu) => string | undefined): (value: string, session: Session) => Test {
  return (value, { run: { pdus } }) => {
    const text = value.toLowerCase();
    return (row) => {
      const pdu = pdus[row];
      return pdu !== undefined && textOf(pdu)?.toLowerCase().includes(text) === true;
    };
  };
}

function yesOr(
  testIn: (run: Run, session: Session) => Test,
): (value: string, session: Session, word: string) => Test {
  return (value, session, word) => {
    const isYes = YES.has(value.toLowerCase());
    if (!isYes && !NO.has(value.toLowerCase())) {
      throw new Unreadable(`${word} can not be read: yes or no has to follow`);
    }
    const test = testIn(session.run, session);
    return (row) => test(row) === isYes;
  };
}

function flag(bit: number): (value: string, session: Session, word: string) => Test {
  return yesOr((_, session) => {
    const { flags } = session.judge();
    return (row) => ((flags[row] ?? 0) & bit) !== 0;
  });
}

function kin(
  rowsOf: (graph: Run["graph"], row: number) => Uint8Array,
): (value: string, session: Session, word: string) => Test {
  return (value, { run }, word) => {
    const row = rowIn(run, value);
    if (typeof row === "string") throw new Unreadable(`${word} can not be read: ${row}`);
    const found = rowsOf(run.graph, row);
    return (one) => found[one] === 1;
  };
}

/** By row, whether it is later (above 0) or earlier (below) than what a word says. */
function laterBy(run: Run, value: string, word: string): (row: number) => number {
  const moment = momentOf(value);
  if (moment === undefined) {
    const there = rowIn(run, value);
    if (typeof there === "number") return (row) => row - there;
    throw new Unreadable(
      `${word} can not be read: it is no number of a record and no time (12:30:05, 2024-01-31T12:30Z), and ${there}`,
    );
  }
  const { pdus } = run;
  return (row) => {
    const pdu = pdus[row];
    return pdu === undefined ? Number.NaN : moment.compare(pdu);
  };
}

/** By id, by name, or by how its id begins; else why not. */
function rowIn({ pdus }: Run, value: string): number | string {
  const exact = pdus.findIndex(({ eventId, name }) => eventId === value || name === value);
  if (exact >= 0) return exact;
  if (value === "") return "an id has to follow";
  const begun = pdus.flatMap(({ eventId }, row) => (eventId.startsWith(value) ? [row] : []));
  const [only] = begun;
  if (only === undefined) return "no event has such an id";
  return begun.length === 1 ? only : `${begun.length} ids begin so`;
}

function serverIn({ servers }: Run, value: string, word: string): number {
  const text = value.toLowerCase();
  const exact = servers.findIndex(({ name }) => name.toLowerCase() === text);
  if (exact >= 0) return exact;
  const some = servers.flatMap(({ name }, at) => (name.toLowerCase().includes(text) ? [at] : []));
  const [only, ...others] = text === "" ? [] : some;
  if (only !== undefined && others.length === 0) return only;
  const names = servers.map(({ name }) => shown(name)).join(", ");
  const known = names === "" ? "the file names no servers" : `it is one of ${names}`;
  throw new Unreadable(`${word} can not be read: ${known}`);
}

function textsOf(run: Run): readonly string[] {
  const known = TEXTS.get(run);
  if (known !== undefined) return known;
  const texts = run.pdus.map(({ eventId, name = "", event }) =>
    [eventId, name, event.type, event.sender, event.stateKey ?? "", writeJson(event.content)]
      .join(" ")
      .toLowerCase(),
  );
  TEXTS.set(run, texts);
  return texts;
}
