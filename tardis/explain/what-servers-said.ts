/** What servers said of a key when they were asked, where they do not agree, and what kept them apart. */
import { hasCome, lastLook } from "#tardis/model/last-look";
import type { Run, Snapshot } from "#tardis/model/run";
import { splitKey } from "./deciding-event.ts";
import type { Sentence } from "./explanation.ts";
import { shown } from "./shown.ts";
import { keyWords, type Wording } from "./wording.ts";

/** Exchanges that are told one by one. */
const MOST_EXCHANGES = 5;

export interface Said {
  readonly run: Run;
  readonly roomId: string;
  /** `type|state_key`. */
  readonly key: string;
  /** Up to and with this record. */
  readonly seq: number;
  readonly words: Wording;
}

/** None where all said the same, or were not asked. */
export function whatServersSaid(asked: Said): readonly Sentence[] {
  const { run, roomId, key, seq, words } = asked;
  const look = lastLook(run, roomId, seq);
  const groups = Map.groupBy(look, ({ state }) => state.get(key));
  if (groups.size < 2) return [];
  const [type, stateKey] = splitKey(key);
  const sentences = [...groups].map(([id, all]) => ({
    text:
      `When asked for ${keyWords(type, stateKey)} (record ${all[0]?.seq ?? ""}), ` +
      `${namesOf(run, all)} said: ${id === undefined ? "none" : words.event(id)}.`,
    events: id === undefined ? [] : [id],
  }));
  const ids = [...groups.keys()].filter((id) => id !== undefined);
  for (const id of ids) {
    const without = look.filter(({ server }) => !hasCome(run, server, id, seq));
    if (without.length === 0) continue;
    const text = `${words.event(id)} was not at ${namesOf(run, without)}${stopped(asked, id, without)}.`;
    sentences.push({ text, events: [id] });
  }
  return sentences.map((sentence) => ({ ...sentence, isOfKey: true }));
}

/** The exchanges that should have brought it, and on which something acted. */
function stopped({ run, seq }: Said, id: string, without: readonly Snapshot[]): string {
  const names = new Set(without.map(({ server }) => run.servers[server]?.name));
  const told = run.records.flatMap(({ seq: own, body }) => {
    const { t, to, from, blocked, events } = body;
    const isIt = t === "http" && blocked === true && Array.isArray(events) && events.includes(id);
    return isIt && own <= seq && typeof to === "string" && names.has(to)
      ? [`from ${shown(String(from))} to ${shown(to)} in record ${own}`]
      : [];
  });
  if (told.length === 0) return "";
  const more = told.length > MOST_EXCHANGES ? `, and ${told.length - MOST_EXCHANGES} more` : "";
  return `: a fault, or a rule that breaks a server, acted on what carried it, ${told.slice(0, MOST_EXCHANGES).join(", ")}${more}`;
}

function namesOf({ servers }: Run, look: readonly Snapshot[]): string {
  return look.map(({ server }) => shown(servers[server]?.name ?? "")).join(" and ");
}
