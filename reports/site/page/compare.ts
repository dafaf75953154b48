/** Any two runs, side by side. */

import type { SiteChange } from "#reports/site/data";
import { LETTERS } from "#reports/site/data";
import { data } from "./data.ts";
import { bdi, button, h, link } from "./dom.ts";
import { marked } from "./marks.ts";
import { comparisonAt, requirementAt } from "./places.ts";
import type { Site } from "./site.ts";

/** Rows until somebody asks for all. */
const FIRST = 500;

export async function comparePage(
  site: Site,
  one: number,
  other: number,
): Promise<readonly HTMLElement[]> {
  const { runs, pairs } = site.index;
  const [before, after] = [Math.min(one, other), Math.max(one, other)];
  const choose = (label: string, at: number, go: (run: number) => string) => {
    const options = runs.map((name, run) =>
      h("option", { value: run, selected: run === at }, `${run + 1}: ${name}`),
    );
    const select = h("select", { "aria-label": label }, ...options);
    select.addEventListener("change", () => {
      location.hash = go(Number(select.value));
    });
    return select;
  };
  const head = [
    h("h1", { tabindex: -1 }, "Two runs compared"),
    h(
      "p",
      { class: "tools" },
      "from ",
      choose("run before", before, (run) => comparisonAt(run, after)),
      " to ",
      choose("run after", after, (run) => comparisonAt(before, run)),
      ", earlier to later as they were given",
    ),
  ];
  if (runs.length < 2) return [...head, h("p", {}, "This site is of one run.")];
  const pair = pairs.find((found) => found.before === before && found.after === after);
  if (pair === undefined) return [...head, h("p", {}, "These two runs were not compared.")];
  if (pair.counts === undefined) {
    const why = h("p", { class: "warn" }, "Not comparable: ", bdi(pair.refused ?? ""));
    return [
      ...head,
      why,
      h("p", {}, "`crucible diff --allow-mismatch` compares them all the same."),
    ];
  }
  const { counts, notes = [] } = pair;
  const numbers = Object.entries(counts).map(([transition, count]) => `${count} ${transition}`);
  const changes = await data.changes(before, after);
  const body = h("tbody", {}, ...changes.slice(0, FIRST).map((change) => rowOf(site, change)));
  const more = button(`show the other ${changes.length - FIRST}`, () => {
    more.remove();
    body.append(...changes.slice(FIRST).map((change) => rowOf(site, change)));
  });
  const heads = ["change", "level", "requirement", "before", "after", "why"];
  return [
    ...head,
    h("p", { class: "lead" }, numbers.join(", ")),
    ...notes.map((note) => h("p", { class: "warn" }, bdi(note))),
    h(
      "div",
      { class: "wide", tabindex: 0, role: "region", "aria-label": "what changed" },
      h(
        "table",
        { class: "changes" },
        h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
        body,
      ),
    ),
    ...(changes.length > FIRST ? [more] : []),
  ];
}

function rowOf(site: Site, change: SiteChange): HTMLElement {
  const { transition, level, requirement, check, deployment, before, after, reasons } = change;
  const name = bdi(requirement, "id");
  const isHere = site.find(requirement) !== undefined;
  const tone = { regressed: "fail", fixed: "pass" }[transition] ?? "";
  const letter = (outcome: typeof before) => (outcome === undefined ? "-" : LETTERS[outcome]);
  return h(
    "tr",
    {},
    h("td", { class: tone }, transition),
    h("td", {}, level),
    h(
      "td",
      {},
      isHere ? link(requirementAt(requirement), {}, name) : name,
      h("div", { class: "small" }, bdi(check)),
      h("div", { class: "small" }, bdi(deployment)),
    ),
    h("td", {}, marked(letter(before))),
    h("td", {}, marked(letter(after))),
    h("td", {}, ...reasons.map((reason) => h("div", {}, bdi(reason)))),
  );
}
