/** A page of one deployment: its servers and its numbers, by level and suite. */

import { LEVELS, OUTCOMES } from "#harness/results/outcome";
import type { SiteDeployment, SiteLevel } from "#reports/site/data";
import { MARKS } from "#reports/site/marks";
import { bdi, h, link } from "./dom.ts";
import { matrixAt } from "./places.ts";
import type { Site } from "./site.ts";

/** Undefined: there is none. */
export function deploymentPage(site: Site, number: number): readonly HTMLElement[] | undefined {
  const deployment = site.index.deployments[number];
  if (deployment === undefined) return undefined;
  const { name, servers, levels, suites, counts } = deployment;
  const all = { suite: "all suites", levels, counts };
  // Runs of one deployment are one column, under its name.
  const column = site.index.columns.find(({ deployments }) => deployments.includes(number));
  const on = `on:"${(column?.name ?? name).replaceAll('"', "")}"`;
  return [
    h("p", { class: "way" }, link(matrixAt(site.query), {}, "matrix"), " / deployments"),
    h("h1", { tabindex: -1 }, bdi(name)),
    h("p", { class: "lead" }, bdi(servers.join(", "))),
    h(
      "p",
      {},
      link(matrixAt(`${on} outcome:fail`), {}, "its failures"),
      " · ",
      link(matrixAt(on), {}, "all of its requirements"),
    ),
    h(
      "div",
      { class: "wide", tabindex: 0, role: "region", "aria-label": "numbers by suite" },
      h("table", { class: "numbers" }, headOf(), bodyOf([...suites, all])),
    ),
    h(
      "p",
      { class: "small" },
      "met of exercised requirements of the homeserver; checks by outcome",
    ),
  ];
}

type Line = Pick<SiteDeployment, "levels" | "counts"> & { readonly suite: string };

function headOf(): HTMLElement {
  const outcomes = OUTCOMES.map((outcome) => {
    const { shape, word, tone } = MARKS[outcome];
    return h(
      "th",
      { scope: "col" },
      h("span", { class: tone, "aria-hidden": "true" }, shape),
      ` ${word}`,
    );
  });
  const levels = LEVELS.map((level) => h("th", { scope: "col" }, level));
  return h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "suite"), ...levels, ...outcomes));
}

function bodyOf(lines: readonly Line[]): HTMLElement {
  const rows = lines.map(({ suite, levels, counts }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, bdi(suite)),
      ...LEVELS.map((level) => h("td", {}, levelText(levels.find((one) => one.level === level)))),
      ...OUTCOMES.map((outcome) =>
        h("td", {}, counts[outcome] === 0 ? "" : String(counts[outcome])),
      ),
    ),
  );
  return h("tbody", {}, ...rows);
}

function levelText(level: SiteLevel | undefined): string {
  return level === undefined ? "" : `${level.met} / ${level.exercised}`;
}
