/** A page of one requirement: the rule, how it is decided, and what each deployment did, failures first. */
import type { SiteCheck, SiteDetails, SiteFinding, SiteRequirement } from "#reports/site/data";
import { exchangeText } from "./colour.ts";
import { data } from "./data.ts";
import { bdi, h, link } from "./dom.ts";
import { marked, pastMarks } from "./marks.ts";
import { matrixAt, requirementAt } from "./places.ts";
import { BASIS_WORDS, PARTY_WORDS, type Site } from "./site.ts";

/** Outcomes that need looking at come first. */
const ORDER = "fekxXnsp-";

/** Undefined: there is none. */
export async function requirementPage(
  site: Site,
  id: string,
): Promise<readonly HTMLElement[] | undefined> {
  const at = site.find(id);
  const requirement = site.index.requirements[at ?? -1];
  if (at === undefined || requirement === undefined) return undefined;
  const details = await data.details(at);
  if (details === undefined) return undefined;
  const { deployments } = site.index;
  const numbers = [...deployments.keys()].filter((one) => letterOf(site, one, at) !== "-");
  const rank = (number: number) => ORDER.indexOf(letterOf(site, number, at));
  return [
    h(
      "p",
      { class: "way" },
      link(matrixAt(site.query), {}, "matrix"),
      " / ",
      bdi(requirement.suite),
    ),
    h("h1", { class: "id", tabindex: -1 }, bdi(id)),
    factsOf(requirement, details),
    neighboursOf(site, at),
    historyOf(site, at),
    ...numbers
      .toSorted((a, b) => rank(a) - rank(b) || a - b)
      .map((number) => deploymentOf(site, number, at, details)),
  ];
}

function letterOf(site: Site, deployment: number, requirement: number): string {
  return site.index.deployments[deployment]?.outcomes[requirement] ?? "-";
}

function factsOf(requirement: SiteRequirement, details: SiteDetails): HTMLElement {
  const { statement, source, level, basis, party, isSensitive } = requirement;
  const { how, negative, needs, unstable, retired } = details;
  const authority = basis === undefined ? "not known to this version" : BASIS_WORDS[basis];
  const mutants = details.checks.filter(({ hasMutant }) => hasMutant === true);
  const withMutant =
    mutants.length === 0
      ? "none is known for these checks"
      : `made at the gateway, and the check has to notice it: crucible mutants ${requirement.id}`;
  return h(
    "dl",
    { class: "facts" },
    ...item("rule", statement),
    ...item("source", source),
    ...item("level", level),
    ...item("basis", basis === undefined ? authority : `${basis}: ${authority}`),
    ...item("judges", party === undefined ? undefined : PARTY_WORDS[party]),
    ...item("how", how),
    ...item("violation", negative),
    ...item("mutant", withMutant),
    ...item("needs", needs.join(", ")),
    ...item("unstable", unstable),
    ...item("sensitive", isSensitive ? "how it is missed is shown only to who ran it" : undefined),
    ...item("retired", retired),
  );
}

function item(name: string, text: string | undefined, className = ""): readonly HTMLElement[] {
  if (text === undefined || text === "") return [];
  return [h("dt", {}, name), h("dd", { class: className }, bdi(text))];
}

/** In the matrix as it was narrowed. */
function neighboursOf(site: Site, at: number): HTMLElement {
  const { requirements } = site.filter.of(site.query);
  const place = requirements.indexOf(at);
  const to = (by: number, text: string, key: string, id: string) => {
    const next = place < 0 ? undefined : site.index.requirements[requirements[place + by] ?? -1];
    if (next === undefined) return [];
    const target = requirementAt(next.id);
    return [
      link(target, { id, "aria-keyshortcuts": key }, h("kbd", {}, key), ` ${text} `, bdi(next.id)),
    ];
  };
  return h(
    "nav",
    { class: "neighbours", "aria-label": "other requirements" },
    ...to(-1, "before:", "[", "previous"),
    ...to(1, "next:", "]", "next"),
  );
}

/** A line for each deployment, its runs in order. */
function historyOf(site: Site, at: number): HTMLElement {
  const rows = site.table.columns.map(({ name }, column) => {
    const past = site.table.past(column, at);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, bdi(name)),
      h("td", {}, past === "" ? "" : pastMarks(past)),
      h("td", {}, marked(site.table.outcome(column, at))),
    );
  });
  const heads = ["deployment", "earlier runs", "now"].map((text) =>
    h("th", { scope: "col" }, text),
  );
  return h(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "outcomes by deployment" },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
  );
}

function deploymentOf(
  site: Site,
  number: number,
  at: number,
  { checks }: SiteDetails,
): HTMLElement {
  const { name = "", servers = [] } = site.index.deployments[number] ?? {};
  const own = checks.filter(({ outcomes }) => (outcomes[number] ?? "-") !== "-");
  return h(
    "section",
    { class: "on", id: `on-${number}`, "aria-label": name, tabindex: -1 },
    h("h2", {}, marked(letterOf(site, number, at)), " on ", bdi(name)),
    h("p", { class: "servers" }, bdi(servers.join(", "))),
    ...own.map((check) => checkOf(check, number)),
  );
}

function checkOf(check: SiteCheck, number: number): HTMLElement {
  const { title, place, outcomes, durations, findings } = check;
  const finding = findings.find(({ deployment }) => deployment === number);
  const facts = [`${durations[number] ?? 0} ms`, ...(place === undefined ? [] : [place])];
  return h(
    "article",
    {},
    h("h3", {}, marked(outcomes[number] ?? "-"), " ", bdi(title)),
    ...(finding === undefined ? [] : findingOf(finding)),
    h("p", { class: "small" }, bdi(facts.join(", "))),
  );
}

function findingOf(finding: SiteFinding): readonly HTMLElement[] {
  const { expected, actual, reason, exchanges, logs, notes, replay, again } = finding;
  const isSaid = actual !== undefined || expected !== undefined;
  const why = isSaid && reason === actual ? undefined : reason;
  return [
    h(
      "dl",
      { class: "facts" },
      ...item("expected", expected),
      ...item("actual", actual, "fail"),
      ...item("reason", why),
      ...notes.flatMap((note) => item("noted", note)),
    ),
    ...exchanges.slice(-1).map(exchangeText),
    ...earlierOf(exchanges.slice(0, -1)),
    h(
      "dl",
      { class: "facts" },
      ...(again === undefined
        ? []
        : [h("dt", {}, "again"), h("dd", {}, h("code", {}, bdi(again)))]),
      ...(replay === undefined ? [] : [h("dt", {}, "replay"), h("dd", {}, replayOf(replay))]),
    ),
    ...(logs.length === 0 ? [] : [h("pre", { tabindex: 0 }, bdi(logs.join("\n")))]),
  ].filter((element) => element.childNodes.length > 0);
}

function replayOf({ link: address, file, note }: NonNullable<SiteFinding["replay"]>): HTMLElement {
  if (address !== undefined) return link(address, {}, "the room at the failing moment");
  const shows = h("code", {}, bdi(`crucible tardis serve ${file}`));
  return h("span", {}, shows, " in replay/ of the run", note === undefined ? "" : bdi(`; ${note}`));
}

function earlierOf(exchanges: readonly string[]): readonly HTMLElement[] {
  if (exchanges.length === 0) return [];
  const details = h("details", {}, h("summary", {}, `${exchanges.length} exchanges before it`));
  // Nobody waits for what is folded.
  details.addEventListener("toggle", () => details.append(...exchanges.map(exchangeText)), {
    once: true,
  });
  return [details];
}
