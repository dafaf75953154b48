/** The search of the page: words, and `field:value`, each of which may be negated with `-`. */
import { domainOf } from "#protocol/auth/auth-event";
import { writeJson } from "#tardis/model/json";
import type { Pdu } from "#tardis/model/run";
import { CONFLICTS, MERGES, REJECTED } from "./messages.ts";
import type { Session } from "./session.ts";

interface Subject {
  readonly pdu: Pdu;
  readonly row: number;
  readonly flags: number;
}

type Test = (subject: Subject) => boolean;

const YES: ReadonlySet<string> = new Set(["yes", "true", "1"]);

const FIELDS: Readonly<Record<string, (value: string) => Test>> = {
  type:
    (value) =>
    ({ pdu }) =>
      pdu.event.type.toLowerCase().includes(value),
  sender:
    (value) =>
    ({ pdu }) =>
      pdu.event.sender.toLowerCase().includes(value),
  server:
    (value) =>
    ({ pdu }) =>
      domainOf(pdu.event.sender).toLowerCase().includes(value),
  key:
    (value) =>
    ({ pdu }) =>
      pdu.event.stateKey?.toLowerCase().includes(value) === true,
  id:
    (value) =>
    ({ pdu }) =>
      pdu.eventId.toLowerCase().includes(value) || pdu.name?.toLowerCase().includes(value) === true,
  state:
    (value) =>
    ({ pdu }) =>
      (pdu.event.stateKey !== undefined) === YES.has(value),
  rejected: (value) => flag(REJECTED, value),
  merge: (value) => flag(MERGES, value),
  conflict: (value) => flag(CONFLICTS, value),
  after:
    (value) =>
    ({ pdu }) =>
      pdu.seq > Number(value),
  before:
    (value) =>
    ({ pdu }) =>
      pdu.seq < Number(value),
};

/** Rows that meet every word of the query; none for an empty one. */
export function searchRows(session: Session, query: string): Uint32Array {
  const tests = (query.match(/-?(?:\w+:)?(?:"[^"]*"|\S+)/g) ?? []).map(testOf);
  if (tests.length === 0) return new Uint32Array(0);
  const { flags } = session.judge();
  return Uint32Array.from(
    session.run.pdus.flatMap((pdu, row) =>
      tests.every((test) => test({ pdu, row, flags: flags[row] ?? 0 })) ? [row] : [],
    ),
  );
}

function testOf(word: string): Test {
  if (word.startsWith("-") && word.length > 1) {
    const test = testOf(word.slice(1));
    return (subject) => !test(subject);
  }
  const at = word.indexOf(":");
  const name = at < 0 ? "" : word.slice(0, at).toLowerCase();
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field !== undefined) return field(unquoted(word.slice(at + 1)));
  const text = unquoted(word);
  return ({ pdu }) =>
    `${pdu.eventId} ${pdu.name ?? ""} ${writeJson(pdu.json)}`.toLowerCase().includes(text);
}

function unquoted(text: string): string {
  return text.replace(/^"(.*)"$/, "$1").toLowerCase();
}

function flag(bit: number, value: string): Test {
  return ({ flags }) => ((flags & bit) !== 0) === YES.has(value);
}
