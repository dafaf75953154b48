/** The page as a whole: where the reader is, and what keys and buttons do to it. */
import { CONFLICTS, type LoadedView, type Source } from "#tardis/view/messages";
import { rowAt, textAt } from "#tardis/view/row-columns";
import { wordsOf } from "#tardis/view/row-words";
import { actionNamed, type Desk } from "./actions.ts";
import { Address } from "./address.ts";
import { chipsOf } from "./chips.ts";
import { Client } from "./client.ts";
import { DagPane } from "./dag-pane.ts";
import { byId } from "./dom.ts";
import { footItems, helpDialog } from "./help.ts";
import { keyActions } from "./keys.ts";
import { Kin, type KinKind } from "./kin.ts";
import { Loading } from "./loading.ts";
import { Panes } from "./panes.ts";
import { actionsIn, editsIn, hashOf, type Place, placeIn, type ViewName } from "./place.ts";
import { startPrinting } from "./printing.ts";
import { SearchField } from "./search-field.ts";
import { Sharing } from "./sharing.ts";
import { Strip } from "./strip.ts";
import { makeTabs, selectTab } from "./tabs.ts";
import { switchTheme } from "./theme.ts";
import type { WhatIfPane } from "./what-if-pane.ts";

export class App {
  readonly #dag: DagPane;
  readonly #strip: Strip;
  readonly #panes: Panes;
  readonly #loading: Loading;
  readonly #search: SearchField;
  readonly #help: HTMLDialogElement;
  readonly #desk: Desk;
  readonly #address = new Address((hash) => void this.#follow(hash));
  readonly #kin = new Kin();
  readonly #sharing: Sharing;
  #place: Place | undefined;

  /** @param code of the worker */
  constructor(code: string) {
    const client = new Client(code);
    const place = () => this.#place;
    const go = (change: Partial<Place>) => this.go(change);
    this.#sharing = new Sharing(client);
    this.#dag = new DagPane(byId("dag"), client, go);
    this.#strip = new Strip(byId("strip"), {
      choose: (row) => go({ row }),
      range: (range) => go({ range, row: range[1] }),
    });
    this.#panes = new Panes(client, {
      place,
      go,
      edit: (edits) => this.#loading.edit(edits),
      mark: (ids) => this.#dag.mark(new Set(ids)),
    });
    this.#loading = new Loading(client, {
      place,
      isAtNewest: () => this.isAtNewest,
      begin: (loaded, at) => {
        this.#search.forget();
        this.#place = undefined;
        this.#load(loaded);
        this.#set(at);
        this.#chips();
        return this.#shown;
      },
      judge: ({ flags }) => {
        this.#dag.judge(flags);
        this.#chips();
      },
      grow: (loaded, { flags }, at) => {
        this.#load(loaded);
        this.#dag.judge(flags);
        this.#chips();
        this.#set(at);
        if (at.q !== "") void this.#search.find(at.q);
      },
      say: (text) => this.whatIf.say(text),
    });
    this.#search = new SearchField(client, {
      type: (q) => go({ q }),
      found: (hits) => {
        this.#dag.find(hits);
        this.#strip.find(hits);
      },
    });
    byId("searching").append(this.#search.element);
    const { why } = this.#panes;
    this.#desk = { app: this, why, dag: this.#dag, search: this.#search.element };
    this.#help = helpDialog(this.#desk);
    document.body.append(this.#help);
    byId("foot").append(...footItems(this.#desk));
    makeTabs((view) => go({ view }));
    document.addEventListener("keydown", keyActions(this.#desk));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    matchMedia("(forced-colors: active)").addEventListener("change", () => this.#recolour());
    byId("theme").addEventListener("click", () => this.theme());
    startPrinting(() => this.#dag.picture());
    byId("keys").addEventListener("click", () => this.help());
  }

  get place(): Place | undefined {
    return this.#place;
  }

  get loaded(): LoadedView | undefined {
    return this.#loading.loaded;
  }

  get whatIf(): WhatIfPane {
    return this.#panes.whatIf;
  }

  /** Row of the conflict, or of what was found, on a side of the cursor. */
  next(of: "conflict" | "hit" | "server", by: 1 | -1): void {
    const [loaded, place] = [this.loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const { size, server } = loaded.rows;
    const flags = this.#loading.judged?.flags;
    const { hits } = this.#search;
    const fits = {
      conflict: (row: number) => ((flags?.[row] ?? 0) & CONFLICTS) !== 0,
      hit: (row: number) => hits.has(row),
      server: (row: number) => server[row] === server[place.row],
    }[of];
    for (let row = place.row + by; row >= 0 && row < size; row += by) {
      if (fits(row)) {
        this.go({ row });
        return;
      }
    }
    byId("live").textContent = `no ${of === "hit" ? "hit" : `such event`} on that side`;
  }

  /** To one of those that the event follows, or that follow it. */
  kin(kind: KinKind): void {
    const [loaded, place] = [this.loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const found = this.#kin.next(loaded, place.row, kind);
    if (found === undefined) byId("live").textContent = `it has no ${kind} here`;
    else {
      this.#go({ row: found.row });
      const { at, count } = found;
      if (count > 1) byId("live").textContent += `, ${at} of ${count} ${kind}`;
    }
  }

  findAuthChain(): void {
    const [loaded, place] = [this.loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const q = `auth-of:${textAt(loaded.rows.ids, place.row)}`;
    this.go({ q: place.q === q ? "" : q });
  }

  pin(): void {
    const { row, pin } = this.#place ?? {};
    this.go({ pin: pin === row ? undefined : row });
  }

  /** @param number of those that recorded arrivals; 0 is none of them */
  server(number: number): void {
    this.go({ server: this.loaded?.recorded[number - 1] });
  }

  besideNext(): void {
    const recorded = this.loaded?.recorded ?? [];
    const at = recorded.indexOf(this.#place?.beside ?? -1);
    this.go({ beside: recorded[at + 1] });
  }

  focusState(): void {
    document.querySelector<HTMLElement>("#state-table button")?.focus();
  }

  async open(source: Source): Promise<void> {
    const wanted = actionsIn(location.hash);
    document.documentElement.dataset.ready = "no";
    this.#panes.leave();
    if (!(await this.#loading.open(source))) return;
    document.documentElement.dataset.ready = "yes";
    for (const name of wanted) actionNamed(name)?.run(this.#desk);
  }

  async grow(source: Source): Promise<void> {
    await this.#loading.grow(source);
  }

  /** Where what comes next is seen: at the end, and not deep in reading what is told of it. */
  get isAtNewest(): boolean {
    const { row = 0 } = this.#place ?? {};
    const isReading = document.activeElement?.closest("#state, #detail") != null;
    return row >= (this.loaded?.rows.size ?? 0) - 1 && !isReading;
  }

  /** To where somebody else's address leads. */
  async #follow(hash: string): Promise<void> {
    const edits = editsIn(hash);
    if (edits !== (this.#place?.edits ?? "")) {
      await this.#loading.edit(edits).catch((error: Error) => this.whatIf.say(error.message));
    }
    if (this.loaded !== undefined) {
      this.#set({ ...placeIn(hash, this.loaded), edits: this.#place?.edits ?? "" });
    }
  }

  /** Changes the place, unless there is no such row. */
  go(change: Partial<Place>): void {
    this.#kin.forget();
    this.#go(change);
  }

  #go(change: Partial<Place>): void {
    const [loaded, place] = [this.loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const row = Math.min(loaded.rows.size - 1, Math.max(0, change.row ?? place.row));
    // Another event asks about another key, unless one was chosen with it.
    const key = row === place.row ? place.key : undefined;
    const step = row === place.row && change.key === undefined ? place.step : 0;
    this.#set({ ...place, key, step, ...change, row });
  }

  /** A link, or one file. */
  async share(): Promise<void> {
    const [loaded, place] = [this.loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    await this.#sharing.show(this.#loading.source, loaded.title, hashOf(place, loaded));
  }

  help(): void {
    if (this.#help.open) this.#help.close();
    else this.#help.showModal();
  }

  theme(): void {
    switchTheme();
    this.#recolour();
  }

  /** Shows a view and moves the focus into it once it is there. */
  async into(view: ViewName): Promise<void> {
    this.go({ view });
    await this.#shown;
    if (view === "why") this.#panes.why.focus();
    if (view === "what-if") this.whatIf.focus();
  }

  #shown: Promise<void> = Promise.resolve();
  /** What of the place was shown last: all but what changes nothing in the panes. */
  #shownOf = "";

  #set(place: Place): void {
    const loaded = this.loaded;
    if (loaded === undefined) return;
    const isOtherSearch = place.q !== this.#place?.q;
    this.#place = place;
    this.#address.write(hashOf(place, loaded));
    if (isOtherSearch) void this.#search.find(place.q);
    this.#dag.show(place);
    const shownOf = JSON.stringify({ ...place, q: "", step: 0 });
    if (shownOf === this.#shownOf) {
      if (place.view === "why") this.#panes.why.step(place.step);
      return;
    }
    this.#shownOf = shownOf;
    const row = rowAt(loaded.rows, place.row);
    const words =
      row === undefined ? [] : wordsOf(row, this.#loading.judged?.flags[place.row] ?? 0, undefined);
    const text =
      row === undefined
        ? "no event"
        : `event ${place.row + 1} of ${loaded.rows.size}, ${row.label}, by ${row.sender}` +
          words.map(([word]) => `, ${word}`).join("");
    byId("status").textContent = `event ${place.row + 1} of ${loaded.rows.size}`;
    byId("live").textContent = text;
    this.#dag.mark(new Set());
    this.#strip.show(place.row, text, place.range);
    selectTab(place.view);
    this.#shown = this.#panes.show(place, loaded);
  }

  #load(loaded: LoadedView): void {
    this.#shownOf = "";
    this.#dag.load(loaded);
    this.#strip.load(loaded);
  }

  #chips(): void {
    const { loaded, judged } = this.#loading;
    if (loaded === undefined) return;
    const isEdited = (this.#place?.edits ?? "") !== "";
    byId("chips").replaceChildren(...chipsOf(loaded, judged, isEdited));
  }

  #recolour(): void {
    this.#dag.recolour();
    this.#strip.recolour();
  }
}
