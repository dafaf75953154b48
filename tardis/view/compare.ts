/** States side by side, with why ours are what they are. */
import { splitKey } from "#tardis/explain/deciding-event";
import { explainKey } from "#tardis/explain/explain-key";
import { keyWords } from "#tardis/explain/wording";
import { RunError } from "#tardis/model/problem";
import { type Side, Sides } from "./compare-sides.ts";
import type { CompareView } from "./messages.ts";
import type { Session } from "./session.ts";

/** More have no room. */
const MOST_SIDES = 8;
const MOST_ROWS = 400;
/** In a list of sides, that keys in which they agree are shown as well. */
const ALL = "all";

/** @param cmp names of sides, parted by commas, and perhaps `all`; the usual ones unless given */
export function compare(
  session: Session,
  {
    row,
    cmp,
    key,
  }: { readonly row: number; readonly cmp: string; readonly key: string | undefined },
): CompareView {
  const sides = new Sides(session, row);
  const given = cmp.split(",").filter((name) => name !== "");
  const isAll = given.includes(ALL);
  const wanted = given.filter((name) => name !== ALL);
  const names = (wanted.length > 0 ? wanted : sides.usual).slice(0, MOST_SIDES);
  const unknown: string[] = [];
  const found = names.flatMap((name) => {
    const side = sides.get(name);
    if (side === undefined) unknown.push(name);
    return side ?? [];
  });
  if (found.length === 0) {
    throw new RunError({
      file: "compare",
      what: `there is nothing to compare: ${unknown.join(", ")}`,
    });
  }
  const keys = [...new Set(found.flatMap(({ state }) => [...state.keys()]))].sort();
  const rows = keys.map((one) => {
    const ids = found.map(({ state }) => state.get(one));
    return {
      key: one,
      what: keyWords(...splitKey(one)).replace(/^the /, ""),
      values: ids.map((id) => ({
        text: id === undefined ? "none" : sides.shortOf(id),
        row: id === undefined ? -1 : session.rowOf(id),
      })),
      isDiffering: new Set(ids).size > 1,
    };
  });
  const differing = rows.filter(({ isDiffering }) => isDiffering);
  const asked = key ?? differing[0]?.key;
  return {
    sides: found.map(({ name, title }) => ({ name, title })),
    choices: sides.all.filter(({ name }) => !names.includes(name)),
    unknown,
    isAll,
    rows: (isAll ? rows : differing).slice(0, MOST_ROWS),
    same: rows.length - differing.length,
    key: asked,
    what: asked === undefined ? "" : keyWords(...splitKey(asked)),
    why: asked === undefined ? [] : found.map((side) => whyOf(session, side, asked)),
  };
}

function whyOf(session: Session, side: Side, key: string): CompareView["why"][number] {
  const { title, computed, originalOf } = side;
  if (computed === undefined) {
    return { title, sentences: ["It said so: why, it did not tell."] };
  }
  const { history, at } = computed;
  const names = new Map(
    history.events.flatMap(({ event }) => {
      const original = originalOf(event.id);
      const { name } = session.run.pdus[session.rowOf(original)] ?? {};
      return name === undefined ? [] : [[event.id, name] as const];
    }),
  );
  const given = new Set(session.run.givenStates.keys());
  const isGiven = (id: string) => given.has(originalOf(id));
  const { verdict } = explainKey({
    history,
    names,
    given: new Set(history.events.map(({ event }) => event.id).filter(isGiven)),
    at,
    key,
  });
  return { title, sentences: verdict.map(({ text }) => text) };
}
