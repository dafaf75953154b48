/** The first page: numbers of each deployment, what changed, and the matrix under its filter. */

import type { SiteDeployment } from "#reports/site/data";
import { MARKS } from "#reports/site/marks";
import { bdi, button, byId, h, link } from "./dom.ts";
import { Matrix } from "./matrix.ts";
import { comparisonAt, deploymentAt, matrixAt, requirementAt } from "./places.ts";
import type { Site } from "./site.ts";

/** Browsers refuse addresses that change all the time. */
const ADDRESS_MS = 250;

export class Home {
  readonly element = h("div", { class: "home" });
  readonly matrix: Matrix;
  readonly field = h("input", {
    id: "filter",
    type: "search",
    placeholder: "/ filter: level:must outcome:fail changed",
    "aria-label": "filter requirements",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #site: Site;
  readonly #found = h("span", { id: "found" });
  #timer = 0;
  #scrolled = 0;

  constructor(site: Site, scroller: HTMLElement) {
    this.#site = site;
    // Asked before the matrix draws: after it a browser would have to place all that was drawn to tell.
    scroller.addEventListener(
      "scroll",
      () => {
        if (this.element.isConnected) this.#scrolled = scroller.scrollTop;
      },
      { passive: true },
    );
    this.matrix = new Matrix(site, scroller);
    this.field.addEventListener("input", () => this.filter(this.field.value));
    this.matrix.element.addEventListener("click", ({ target }) => follow(site, target));
    this.element.append(
      ...leadOf(site),
      cardsOf(site),
      h("div", { class: "tools" }, this.field, this.#found, this.#legend()),
      this.matrix.element,
    );
  }

  /** Where it was left. */
  show(main: HTMLElement, query: string): void {
    const scrolled = query === this.#site.query ? this.#scrolled : 0;
    main.replaceChildren(this.element);
    this.field.value = query;
    this.#apply(query);
    main.scrollTop = scrolled;
    this.matrix.draw();
  }

  filter(query: string): void {
    this.#apply(query);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (this.element.isConnected) history.replaceState(null, "", matrixAt(query));
      byId("live").textContent = this.#found.textContent;
    }, ADDRESS_MS);
  }

  #apply(query: string): void {
    this.#site.query = query;
    const { requirements, columns } = this.#site.filter.of(query);
    const all = this.#site.index.requirements.length;
    this.#found.textContent =
      requirements.length === all ? `${all} requirements` : `${requirements.length} of ${all}`;
    this.matrix.show(requirements, columns);
  }

  /** Each outcome narrows the matrix to where it is, or no longer. */
  #legend(): HTMLElement {
    const items = Object.entries(MARKS).map(([outcome, { shape, word, tone }]) => {
      const term = `outcome:${outcome}`;
      const toggle = () => {
        const words = this.field.value.split(/\s+/).filter((one) => one !== "");
        const others = words.filter((one) => one !== term);
        this.field.value = (others.length < words.length ? others : [...words, term]).join(" ");
        this.filter(this.field.value);
      };
      return button(`${shape} ${word}`, toggle, { class: `quiet ${tone}`, title: term });
    });
    return h("span", { class: "legend", role: "group", "aria-label": "outcomes" }, ...items);
  }
}

function leadOf({ index }: Site): readonly HTMLElement[] {
  const { columns, requirements, requirementSet, harness, verdict, troubles, leftOut } = index;
  const facts = [
    `${columns.length} ${columns.length === 1 ? "deployment" : "deployments"}`,
    `${requirements.length} requirements tried`,
    `requirement set ${requirementSet || "not told"}`,
    `crucible ${harness || "of a version not told"}`,
  ];
  return [
    h("h1", {}, "Conformance: ", h("span", { class: "verdict" }, verdict)),
    h("p", { class: "lead" }, bdi(facts.join(", "))),
    ...notesOf("Trouble of the run itself", troubles),
    ...notesOf("Not in this site", leftOut),
  ];
}

function notesOf(title: string, lines: readonly string[]): readonly HTMLElement[] {
  if (lines.length === 0) return [];
  const items = lines.map((line) => h("li", {}, bdi(line)));
  return [h("section", { class: "notes" }, h("h2", {}, title), h("ul", {}, ...items))];
}

function cardsOf(site: Site): HTMLElement {
  const { columns, deployments } = site.index;
  const cards = columns.flatMap(({ deployments: runs }, at) => {
    const number = runs.at(-1) ?? 0;
    const deployment = deployments[number];
    return deployment === undefined ? [] : [cardOf(deployment, number, at, runs.length)];
  });
  const element = h("div", { class: "cards" }, ...cards, ...changeCard(site));
  if (cards.length > 4) element.classList.add("many");
  return element;
}

function cardOf(
  { name, levels }: SiteDeployment,
  number: number,
  column: number,
  runs: number,
): HTMLElement {
  const [first] = levels;
  const times = runs > 1 ? `, last of ${runs} runs` : "";
  const title = h(
    "small",
    {},
    h("b", { class: "number" }, String(column + 1)),
    " ",
    bdi(name),
    times,
  );
  if (first === undefined) {
    return link(deploymentAt(number), { class: "card" }, title, "no verdict on a homeserver");
  }
  const { level, met, exercised, total } = first;
  return link(
    deploymentAt(number),
    { class: "card" },
    title,
    h("span", {}, h("b", {}, `${met} / ${exercised}`), ` ${level} met`),
    h("small", {}, `${exercised} of ${total} exercised`),
    barOf(met, exercised, total),
  );
}

function barOf(met: number, exercised: number, total: number): HTMLElement {
  const parts = [
    ["pass", met],
    ["fail", exercised - met],
    ["mute", total - exercised],
  ] as const;
  const bars = parts.map(([tone, size]) => {
    const bar = h("i", { class: tone });
    bar.style.flexGrow = String(size);
    return bar;
  });
  return h("span", { class: "bar", "aria-hidden": "true" }, ...bars);
}

/** Of the last two runs. */
function changeCard({ index }: Site): readonly HTMLElement[] {
  const last = index.runs.length - 1;
  const pair = index.pairs.find(({ before, after }) => after === last && before === last - 1);
  if (pair === undefined) return [];
  const { before, after, counts } = pair;
  const title = h("small", {}, bdi(`${index.runs[before]} → ${index.runs[after]}`));
  const body =
    counts === undefined
      ? [h("span", {}, "can not be compared")]
      : [
          h("b", { class: counts.regressed === 0 ? "" : "fail" }, `${counts.regressed} regressed`),
          h("small", {}, `${counts.fixed} fixed · ${counts.new} new · ${counts.gone} gone`),
        ];
  return [link(comparisonAt(before, after), { class: "card" }, title, ...body)];
}

function follow(site: Site, target: EventTarget | null): void {
  if (!(target instanceof Element)) return;
  const cell = target.closest<HTMLElement>(".cell[data-column]");
  const row = cell?.closest<HTMLElement>(".row[data-requirement]");
  const requirement = site.index.requirements[Number(row?.dataset.requirement)];
  if (!cell || requirement === undefined) return;
  const column = site.index.columns[Number(cell.dataset.column)];
  location.hash = `${requirementAt(requirement.id)}/${column?.deployments.at(-1) ?? 0}`;
}
