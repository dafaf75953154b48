/** Times and numbers of records as people write them in a search. */
import type { Pdu } from "#tardis/model/run";

export interface Moment {
  /** Above 0 for an event after it, below for one before it; NaN for one without a time. */
  compare(pdu: Pdu): number;
}

const DAY_MS = 86_400_000;
/** So many digits are milliseconds since 1970: they would be too many records. */
const TIME_DIGITS = 11;

/** A number of a record, milliseconds since 1970, a time of the day or a date with or without one, in UTC; undefined for all else. */
export function momentOf(text: string): Moment | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return text.length < TIME_DIGITS
      ? { compare: ({ seq }) => seq - number }
      : { compare: ({ event }) => event.originServerTs - number };
  }
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d{1,3})?))?$/.exec(text);
  if (clock !== null) {
    const [, hours, minutes, seconds = "0"] = clock;
    const ms = Math.round((Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000);
    // As the page shows times: every day anew.
    const ofDay = (ts: number) => ((ts % DAY_MS) + DAY_MS) % DAY_MS;
    return { compare: ({ event }) => ofDay(event.originServerTs) - ms };
  }
  const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?Z?$/i.exec(text);
  const time = date === null ? Number.NaN : Date.parse(`${date[1]}T${date[2] ?? "00:00"}Z`);
  return Number.isNaN(time) ? undefined : { compare: ({ event }) => event.originServerTs - time };
}
