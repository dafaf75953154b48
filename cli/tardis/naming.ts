/** Events and keys of the state as people name them on a command line. */
import { remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { splitKey } from "#tardis/explain/deciding-event";
import type { Pdu, Run } from "#tardis/model/run";

/** By id, by the beginning of one, or by name. @throws HarnessError BAD_USAGE */
export function pduNamed({ pdus }: Run, named: string): Pdu {
  const exact = pdus.find(({ eventId, name }) => eventId === named || name === named);
  const begun = pdus.filter(({ eventId }) => eventId.startsWith(named));
  const [only, ...others] = exact === undefined ? begun : [exact];
  if (only !== undefined && others.length === 0) return only;
  throw new HarnessError("BAD_USAGE", {
    what: only === undefined ? `there is no event ${named}` : `several events begin with ${named}`,
    next: didYouMean(
      named,
      pdus.map(({ eventId, name }) => name ?? eventId),
    ),
  });
}

/** `type|state_key`; without a bar the state key is empty. */
export function keyNamed(given: string): string {
  return given.includes("|") ? given : `${given}|`;
}

/** A key that no event has is most likely misspelt. */
export function warnOfUnknownKey({ pdus }: Run, key: string): void {
  const [type, stateKey] = splitKey(key);
  if (pdus.some(({ event }) => event.type === type && event.stateKey === stateKey)) return;
  const keys = new Set(
    pdus.flatMap(({ event }) =>
      event.stateKey === undefined ? [] : [`${event.type}|${event.stateKey}`],
    ),
  );
  remark(`no event has the key ${key}: ${didYouMean(key, keys)}`);
}
