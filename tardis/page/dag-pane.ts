/** The graph with its tools: folding, a range, lanes by server, order, zoom, and pictures of what is in sight. */

import type { Picture } from "#tardis/render/display-list";
import { rowsPicture } from "#tardis/render/rows-picture";
import type { LayoutAsk, LoadedView } from "#tardis/view/messages";
import type { Client } from "./client.ts";
import { Dag } from "./dag.ts";
import { button, h } from "./dom.ts";
import { Latest } from "./latest.ts";
import { DRAW_OPTIONS, type DrawOption, type Place } from "./place.ts";
import { savePng, saveSvg } from "./saving.ts";

const WORDS: Readonly<Record<DrawOption, readonly [text: string, key: string]>> = {
  folded: ["fold", "f"],
  "by-server": ["by server", "l"],
  "newest-first": ["newest first", "y"],
};

export class DagPane {
  readonly #dag: Dag;
  readonly #client: Client;
  readonly #go: (change: Partial<Place>) => void;
  readonly #toggles: ReadonlyMap<DrawOption, HTMLElement>;
  readonly #range = h("span", { class: "hint" });
  #loaded: LoadedView | undefined;
  #place: Place | undefined;
  #hits: ReadonlySet<number> = new Set();
  /** How often something was searched for. */
  #searches = 0;
  #isJudged = false;
  #hovered: number | undefined;
  /** Runs that the reader wants to see while others are folded. */
  #unfolded: readonly (readonly [newest: number, count: number])[] = [];
  /** What the layout in force was asked with. */
  #laid = "";
  #known = "";
  readonly #layouts = new Latest();
  readonly #knowing = new Latest();

  constructor(parent: HTMLElement, client: Client, go: (change: Partial<Place>) => void) {
    this.#client = client;
    this.#go = go;
    const toggle = (option: DrawOption) => {
      const [text, key] = WORDS[option];
      return button(text, () => this.toggle(option), { "aria-keyshortcuts": key });
    };
    this.#toggles = new Map(DRAW_OPTIONS.map((option) => [option, toggle(option)]));
    const tool = (text: string, label: string, run: () => void) =>
      button(text, run, /\w/.test(text) ? { title: label } : { "aria-label": label });
    const graph = h("div", { class: "graph" });
    parent.append(
      h(
        "div",
        { class: "tools", role: "toolbar", "aria-label": "drawing" },
        ...this.#toggles.values(),
        tool("−", "smaller rows", () => this.zoom(1)),
        tool("+", "larger rows", () => this.zoom(-1)),
        tool("from here", "leave out what is before this event", () => this.from()),
        tool("to here", "leave out what is after this event", () => this.to()),
        this.#range,
        tool("SVG", "save what is in sight as SVG", () => this.saveSvg()),
        tool("PNG", "save what is in sight as PNG", () => this.savePng()),
      ),
      graph,
    );
    this.#dag = new Dag(graph, {
      choose: (row) => go({ row }),
      hover: (row) => {
        if (row === this.#hovered) return;
        this.#hovered = row;
        this.#cite();
      },
      unfold: (newest, count) => {
        this.#unfolded = [...this.#unfolded, [newest, count]];
        this.#lay();
        this.focus();
      },
    });
  }

  load(loaded: LoadedView): void {
    this.#loaded = loaded;
    this.#hits = new Set();
    this.#isJudged = false;
    this.#unfolded = [];
    this.#laid = "";
    this.#known = "";
    this.#dag.load(loaded);
  }

  judge(flags: Uint8Array): void {
    this.#isJudged = true;
    this.#dag.change({ flags });
    this.#lay();
  }

  find(hits: ReadonlySet<number>): void {
    this.#hits = hits;
    this.#searches++;
    this.#dag.change({ hits });
    this.#lay();
  }

  /** @param ids of events that a sentence is about */
  mark(ids: ReadonlySet<string>): void {
    this.#dag.change({ marked: ids });
  }

  show(place: Place): void {
    this.#place = place;
    for (const [option, toggle] of this.#toggles) {
      toggle.setAttribute("aria-pressed", String(place.draw.includes(option)));
    }
    this.#showRange();
    this.#dag.turn(place.draw.includes("newest-first"));
    this.#dag.show(place.row);
    this.#cite();
    this.#lay();
    this.#know();
  }

  toggle(option: DrawOption): void {
    const draw = this.#place?.draw ?? [];
    if (option === "folded") this.#unfolded = [];
    const isOn = draw.includes(option);
    this.#go({ draw: isOn ? draw.filter((one) => one !== option) : [...draw, option] });
  }

  zoom(by: 1 | -1): void {
    this.#dag.zoom(by);
  }

  from(): void {
    const { row = 0, range } = this.#place ?? {};
    this.#go({ range: [row, Math.max(row, range?.[1] ?? this.#last)] });
  }

  to(): void {
    const { row = 0, range } = this.#place ?? {};
    this.#go({ range: [Math.min(row, range?.[0] ?? 0), row] });
  }

  /** The row that stands above another one, or below. */
  beside(row: number, by: 1 | -1): number {
    return this.#dag.beside(row, by);
  }

  saveSvg(): void {
    const picture = this.picture();
    if (picture !== undefined) saveSvg(picture);
  }

  savePng(): void {
    const picture = this.picture();
    if (picture !== undefined) void savePng(picture);
  }

  recolour(): void {
    this.#dag.recolour();
  }

  focus(): void {
    this.#dag.focus();
  }

  get #last(): number {
    return (this.#loaded?.rows.size ?? 1) - 1;
  }

  /** Of what is in sight. */
  picture(): Picture | undefined {
    const inSight = this.#dag.inSight;
    if (inSight === undefined || this.#loaded === undefined) return undefined;
    const { scene, frame } = inSight;
    return rowsPicture(scene, { ...frame, title: this.#loaded.title });
  }

  #showRange(): void {
    const range = this.#place?.range;
    this.#range.replaceChildren(
      ...(range === undefined
        ? []
        : [
            `${range[0] + 1} to ${range[1] + 1} `,
            button("all", () => this.#go({ range: undefined }), {
              "aria-label": "show all events",
            }),
          ]),
    );
  }

  /** Lines to what an event cites: of the one under the pointer, of the pinned one, of that whose citations were found. */
  #cite(): void {
    const { pin, row, q } = this.#place ?? {};
    const rows = [this.#hovered, pin, q?.startsWith("auth-of:") ? row : undefined];
    this.#dag.change({ citing: [...new Set(rows)].filter((one) => one !== undefined) });
  }

  /** Asks for another layout when what it depends on is another. */
  #lay(): void {
    const place = this.#place;
    if (place === undefined) return;
    const { draw, range, row, server, pin } = place;
    const isFolded = draw.includes("folded");
    const always = { isFolded, isByServer: draw.includes("by-server"), range };
    const kept = Uint32Array.from(pin === undefined ? this.#hits : [...this.#hits, pin]);
    const ask: LayoutAsk = { ...always, row, server, unfolded: this.#unfolded, kept };
    const own = isFolded ? { ...ask, kept: this.#searches, pin, isJudged: this.#isJudged } : always;
    const laid = JSON.stringify(own);
    if (this.#laid === laid) return;
    const isFirst = this.#laid === "";
    this.#laid = laid;
    // That which came with the file.
    if (isFirst && laid === JSON.stringify({ isFolded: false, isByServer: false })) return;
    const loaded = this.#loaded;
    this.#layouts.do(async () => {
      const layout = await this.#client.ask("layout", ask);
      if (this.#laid === laid && this.#loaded === loaded) this.#dag.change({ layout });
    });
  }

  #know(): void {
    const { row, server } = this.#place ?? {};
    const known = `${row} ${server}`;
    if (known === this.#known || row === undefined) return;
    const wasNone = this.#known === "" || this.#known.endsWith("undefined");
    this.#known = known;
    if (server === undefined) {
      if (!wasNone) this.#dag.change({ knowledge: undefined });
      return;
    }
    this.#knowing.do(async () => {
      const knowledge = await this.#client.ask("knowledge", { row, server });
      if (this.#known === known) this.#dag.change({ knowledge });
    });
  }
}
