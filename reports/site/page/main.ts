/** The site: what is at an address, and what keys do. */
import { comparePage } from "./compare.ts";
import { data } from "./data.ts";
import { deploymentPage } from "./deployment.ts";
import { byId, h, link } from "./dom.ts";
import { Home } from "./home.ts";
import { type Action, footOf, helpDialog, listen } from "./keys.ts";
import { comparisonAt, matrixAt, placeOf } from "./places.ts";
import { plotsPage } from "./plots.ts";
import { requirementPage } from "./requirement.ts";
import { Site } from "./site.ts";
import { startTheme, switchTheme } from "./theme.ts";

type Content = readonly HTMLElement[];

startTheme();
const main = byId("main");
start().catch((error: unknown) => {
  main.replaceChildren(h("p", { class: "fail", role: "alert" }, String(error)));
});

async function start(): Promise<void> {
  const site = new Site(await data.index());
  const home = new Home(site, main);
  const actions = actionsOf(site, home);
  const help = helpDialog(actions);
  document.body.append(help);
  byId("foot").append(...footOf(actions), h("span", { class: "last" }, "nothing leaves this page"));
  byId("theme").addEventListener("click", switchTheme);
  byId("keys").addEventListener("click", () => help.showModal());
  const { runs, hasPlots } = site.index;
  byId("nav").append(
    link(matrixAt(""), { "aria-keyshortcuts": "m" }, h("kbd", {}, "m"), " matrix"),
    ...(runs.length > 1
      ? [link(lastTwo(site), { "aria-keyshortcuts": "c" }, h("kbd", {}, "c"), " compare")]
      : []),
    ...(hasPlots
      ? [link("#/measured", { "aria-keyshortcuts": "p" }, h("kbd", {}, "p"), " measured")]
      : []),
  );
  listen(actions, home.field);
  window.addEventListener("hashchange", () => void go(site, home));
  await go(site, home);
}

function lastTwo({ index }: Site): string {
  const last = index.runs.length - 1;
  return comparisonAt(Math.max(0, last - 1), last);
}

/** Of what is asked for while something else is still read. */
let asked = 0;

async function go(site: Site, home: Home): Promise<void> {
  const turn = ++asked;
  const { page, parts, query } = placeOf(location.hash);
  document.documentElement.dataset.ready = "no";
  if (page === "") {
    home.show(main, query);
    document.title = "conformance";
  } else {
    const content = await contentOf(site, page, parts);
    if (turn !== asked) return;
    main.replaceChildren(h("div", { class: "page" }, ...content));
    const title = main.querySelector("h1");
    document.title = `${title?.textContent ?? ""}, conformance`;
    main.scrollTop = 0;
    title?.focus({ preventScroll: true });
    const part = parts[1] === undefined ? null : document.getElementById(`on-${parts[1]}`);
    part?.scrollIntoView();
  }
  document.documentElement.dataset.ready = "yes";
}

async function contentOf(site: Site, page: string, parts: readonly string[]): Promise<Content> {
  const [first = "", second = ""] = parts;
  try {
    switch (page) {
      case "requirement":
        return (await requirementPage(site, first)) ?? nothingAt(first);
      case "deployment":
        return deploymentPage(site, Number(first)) ?? nothingAt(first);
      case "compare":
        return await comparePage(site, Number(first), Number(second));
      case "measured":
        return await plotsPage();
      default:
        return nothingAt(page);
    }
  } catch (error) {
    return [h("h1", { tabindex: -1 }, "Not shown"), h("p", { class: "fail" }, String(error))];
  }
}

function nothingAt(name: string): Content {
  return [
    h("h1", { tabindex: -1 }, "Nothing is here"),
    h("p", {}, "This site has no ", h("bdi", {}, name), ". ", link("#/", {}, "Back to the matrix")),
  ];
}

function actionsOf(site: Site, home: Home): readonly Action[] {
  const isHome = () => home.element.isConnected;
  const press = (id: string) => document.getElementById(id)?.click();
  const toMatrix = () => {
    location.hash = matrixAt(site.query);
  };
  return [
    {
      keys: ["/"],
      what: "filter the matrix",
      foot: "filter",
      run() {
        if (!isHome()) {
          toMatrix();
          home.show(main, site.query);
        }
        main.scrollTop = 0;
        home.field.focus();
        home.field.select();
      },
    },
    {
      keys: ["Escape"],
      what: "leave the filter, go back to the matrix",
      run() {
        if (!isHome()) return toMatrix();
        if (document.activeElement === home.field) home.field.blur();
        else {
          home.field.value = "";
          home.filter("");
        }
      },
    },
    {
      keys: ["j", "ArrowDown", "Enter"],
      what: "next requirement; Enter opens it",
      foot: "next",
      run(key) {
        if (isHome()) home.matrix.step(1);
        else if (key === "ArrowDown") main.scrollBy(0, 60);
      },
    },
    {
      keys: ["k", "ArrowUp"],
      what: "requirement before",
      foot: "before",
      run(key) {
        if (isHome()) home.matrix.step(-1);
        else if (key === "ArrowUp") main.scrollBy(0, -60);
      },
    },
    {
      keys: ["n"],
      what: "next failure",
      foot: "next failure",
      run: () => isHome() && home.matrix.step(1, (at) => home.matrix.isFailing(at)),
    },
    {
      keys: ["N"],
      what: "failure before",
      run: () => isHome() && home.matrix.step(-1, (at) => home.matrix.isFailing(at)),
    },
    { keys: ["["], what: "on a requirement: the one before", run: () => press("previous") },
    { keys: ["]"], what: "on a requirement: the next one", run: () => press("next") },
    { keys: ["m"], what: "the matrix", foot: "matrix", run: toMatrix },
    {
      keys: ["c"],
      what: "compare two runs",
      foot: "compare",
      run() {
        location.hash = lastTwo(site);
      },
    },
    {
      keys: ["p"],
      what: "what was measured",
      run() {
        location.hash = "#/measured";
      },
    },
    { keys: ["t"], what: "dark or light", run: switchTheme },
    { keys: ["?"], what: "these keys", run: () => press("keys") },
  ];
}
