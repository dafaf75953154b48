/** The page as a whole: where the reader is, what that shows, and what keys and buttons do to it. */
import type { Explanation } from "#tardis/explain/explanation";
import {
  CONFLICTS,
  type JudgedView,
  type LoadedView,
  type Source,
  type StateView,
  type Where,
} from "#tardis/view/messages";
import { rowAt, rowNamed, textAt } from "#tardis/view/row-columns";
import { wordsOf } from "#tardis/view/row-words";
import { actionNamed, type Desk } from "./actions.ts";
import { Address } from "./address.ts";
import { Client } from "./client.ts";
import { comparePane } from "./compare-pane.ts";
import { DagPane } from "./dag-pane.ts";
import { bdi, button, byId, h } from "./dom.ts";
import { eventPane } from "./event-pane.ts";
import { footItems, helpDialog } from "./help.ts";
import { keyActions } from "./keys.ts";
import { Kin, type KinKind } from "./kin.ts";
import { serversPane } from "./other-panes.ts";
import { actionsIn, editsIn, hashOf, type Place, placeIn, VIEWS, type ViewName } from "./place.ts";
import { startPrinting } from "./printing.ts";
import { runPane } from "./run-pane.ts";
import { Sharing } from "./sharing.ts";
import { StatePane } from "./state-pane.ts";
import { Strip } from "./strip.ts";
import { switchTheme } from "./theme.ts";
import { WhatIfPane } from "./what-if-pane.ts";
import { WhyPane } from "./why-pane.ts";

export class App {
  readonly #client: Client;
  readonly #dag: DagPane;
  readonly #strip: Strip;
  readonly #state: StatePane;
  readonly #why: WhyPane;
  readonly #help: HTMLDialogElement;
  readonly #search: HTMLInputElement;
  readonly #desk: Desk;
  readonly #address = new Address((hash) => void this.#follow(hash));
  readonly whatIf: WhatIfPane;
  readonly #kin = new Kin();
  readonly #sharing: Sharing;
  #source: Source = [];
  #loaded: LoadedView | undefined;
  #judged: JudgedView | undefined;
  #place: Place | undefined;
  #hits: readonly number[] = [];
  /** Of what was asked for last: answers to what came before are of no use. */
  #turn = 0;

  /** @param code of the worker */
  constructor(code: string) {
    this.#client = new Client(code);
    this.#sharing = new Sharing(this.#client);
    const go = (row: number) => this.go({ row });
    this.#dag = new DagPane(byId("dag"), this.#client, (change) => this.go(change));
    this.#strip = new Strip(byId("strip"), {
      choose: go,
      range: (range) => this.go({ range, row: range[1] }),
    });
    this.#state = new StatePane(byId("state"), {
      explain: (key) => this.go({ key, view: "why" }),
      go,
      diff: () => this.go({ isDiff: !(this.#place?.isDiff ?? false) }),
      server: (server) => this.go({ server }),
      beside: (beside) => this.go({ beside }),
    });
    this.#why = new WhyPane(byId("detail"), {
      choose: (key) => this.go({ key }),
      mark: (ids) => this.#dag.mark(new Set(ids)),
      stepped: (step) => this.go({ step }),
    });
    this.whatIf = new WhatIfPane(byId("detail"), {
      edits: () => this.#place?.edits ?? "",
      edit: (edits) => this.#edit(edits),
      shrink: (key, ms) => this.#client.ask("shrink", { row: this.#place?.row ?? 0, key, ms }),
      scenario: async () => {
        const { row = 0, key } = this.#place ?? {};
        return (await this.#client.ask("scenario", { row, key })).text;
      },
      go,
      explain: (key) => this.go({ key, view: "why" }),
    });
    this.#search = h("input", {
      id: "search",
      type: "search",
      placeholder: "/ search: type:topic conflict:yes",
      "aria-label": "search events",
      "aria-describedby": "found",
    });
    byId("searching").append(this.#search);
    this.#search.addEventListener("input", () => this.go({ q: this.#search.value }));
    this.#desk = { app: this, why: this.#why, dag: this.#dag, search: this.#search };
    this.#help = helpDialog(this.#desk);
    document.body.append(this.#help);
    byId("foot").append(...footItems(this.#desk));
    this.#tabs();
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
    return this.#loaded;
  }

  /** Row of the conflict, or of what was found, on a side of the cursor. */
  next(of: "conflict" | "hit" | "server", by: 1 | -1): void {
    const [loaded, place] = [this.#loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const { size, server } = loaded.rows;
    const flags = this.#judged?.flags;
    const hits = new Set(this.#hits);
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
    const [loaded, place] = [this.#loaded, this.#place];
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
    const [loaded, place] = [this.#loaded, this.#place];
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
    this.go({ server: this.#loaded?.recorded[number - 1] });
  }

  besideNext(): void {
    const recorded = this.#loaded?.recorded ?? [];
    const at = recorded.indexOf(this.#place?.beside ?? -1);
    this.go({ beside: recorded[at + 1] });
  }

  focusState(): void {
    document.querySelector<HTMLElement>("#state-table button")?.focus();
  }

  async open(source: Source): Promise<void> {
    const turn = ++this.#turn;
    const wanted = actionsIn(location.hash);
    this.#source = source;
    document.documentElement.dataset.ready = "no";
    byId("status").textContent = "reading";
    try {
      const loaded = await this.#client.ask("load", { source });
      if (turn !== this.#turn) return;
      byId("empty").hidden = true;
      document.title = `${loaded.title} · room replay`;
      byId("notice").hidden = loaded.notice === undefined;
      byId("notice").replaceChildren(bdi(loaded.notice ?? ""));
      const edits = editsIn(location.hash);
      const edited = await this.#edited(edits);
      if (turn !== this.#turn) return;
      await this.#take(edited ?? loaded, (now) => ({
        ...placeIn(location.hash, now),
        edits: edited === undefined ? "" : edits,
      }));
      document.documentElement.dataset.ready = "yes";
      for (const name of wanted) actionNamed(name)?.run(this.#desk);
    } catch (error) {
      byId("status").textContent = error instanceof Error ? error.message : String(error);
      byId("trouble").textContent = byId("status").textContent;
    }
  }

  /** Where what comes next is seen: at the end, and not deep in reading what is told of it. */
  get isAtNewest(): boolean {
    const { row = 0 } = this.#place ?? {};
    const isReading = document.activeElement?.closest("#state, #detail") != null;
    return row >= (this.#loaded?.rows.size ?? 0) - 1 && !isReading;
  }

  /** The same with more in it: who is at the newest event stays there, and who is elsewhere is left in peace. */
  async grow(source: Source): Promise<void> {
    this.#source = source;
    const turn = this.#turn;
    try {
      const whole = await this.#client.ask("load", { source });
      const { edits = "" } = this.#place ?? {};
      const edited = await this.#edited(edits);
      const loaded = edited ?? whole;
      const judged = await this.#client.ask("judge", {});
      const [before, place] = [this.#loaded, this.#place];
      if (before === undefined || place === undefined) return;
      const rowNow = (was: number) => rowNamed(loaded.rows, textAt(before.rows.ids, was));
      const own = rowNow(place.row);
      const pin = place.pin === undefined ? undefined : rowNow(place.pin);
      const row = this.isAtNewest || own < 0 ? loaded.rows.size - 1 : own;
      this.#loaded = loaded;
      this.#judged = judged;
      this.#dag.load(loaded);
      this.#dag.judge(judged.flags);
      this.#strip.load(loaded);
      this.#chips();
      this.#shownOf = "";
      const key = row === own ? place.key : undefined;
      this.#set({ ...place, row, pin, key, edits: edited === undefined ? "" : edits });
      if (place.q !== "") void this.#find(place.q);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      if (turn === this.#turn) byId("status").textContent = what;
    }
  }

  /** What was loaded with the edits of a link; undefined where there are none, or they can not be done. */
  async #edited(edits: string): Promise<LoadedView | undefined> {
    if (edits === "") return undefined;
    try {
      return (await this.#client.ask("edit", { edits })).loaded;
    } catch (error) {
      this.whatIf.say(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Shows a run that is another one than before, or has other edits. */
  async #take(loaded: LoadedView, placeOf: (loaded: LoadedView) => Place): Promise<void> {
    this.#loaded = loaded;
    this.#judged = undefined;
    this.#hits = [];
    this.#place = undefined;
    this.#shownOf = "";
    this.#dag.load(loaded);
    this.#strip.load(loaded);
    this.#set(placeOf(loaded));
    this.#chips();
    const shown = this.#shown;
    const judged = await this.#client.ask("judge", {});
    if (this.#loaded !== loaded) return;
    this.#judged = judged;
    this.#dag.judge(judged.flags);
    this.#chips();
    await shown;
  }

  /** @throws Error for edits that can not be done */
  async #edit(edits: string): Promise<void> {
    const { loaded, rows } = await this.#client.ask("edit", { edits });
    const { place } = this;
    if (place === undefined) return;
    // Where the event is gone, the one before it that is there.
    let before = place.row;
    while (before > 0 && (rows[before] ?? -1) < 0) before--;
    const rowOf = (row: number | undefined) => {
      const now = row === undefined ? -1 : (rows[row] ?? -1);
      return now < 0 ? undefined : now;
    };
    await this.#take(loaded, () => ({
      ...place,
      row: rowOf(before) ?? 0,
      pin: rowOf(place.pin),
      edits,
    }));
  }

  /** To where somebody else's address leads. */
  async #follow(hash: string): Promise<void> {
    const edits = editsIn(hash);
    if (edits !== (this.#place?.edits ?? "")) {
      await this.#edit(edits).catch((error: Error) => this.whatIf.say(error.message));
    }
    if (this.#loaded !== undefined) {
      this.#set({ ...placeIn(hash, this.#loaded), edits: this.#place?.edits ?? "" });
    }
  }

  /** Changes the place, unless there is no such row. */
  go(change: Partial<Place>): void {
    this.#kin.forget();
    this.#go(change);
  }

  #go(change: Partial<Place>): void {
    const [loaded, place] = [this.#loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    const row = Math.min(loaded.rows.size - 1, Math.max(0, change.row ?? place.row));
    // Another event asks about another key, unless one was chosen with it.
    const key = row === place.row ? place.key : undefined;
    const step = row === place.row && change.key === undefined ? place.step : 0;
    this.#set({ ...place, key, step, ...change, row });
  }

  /** A link, or one file. */
  async share(): Promise<void> {
    const [loaded, place] = [this.#loaded, this.#place];
    if (loaded === undefined || place === undefined) return;
    await this.#sharing.show(this.#source, loaded.title, hashOf(place, loaded));
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
    if (view === "why") this.#why.focus();
    if (view === "what-if") this.whatIf.focus();
  }

  #shown: Promise<void> = Promise.resolve();
  /** Until the state that was asked for last is there, or is not to be had. */
  #asking: Promise<void> = Promise.resolve();
  /** What of the place was shown last: all but what changes nothing in the panes. */
  #shownOf = "";

  #set(place: Place): void {
    const loaded = this.#loaded;
    if (loaded === undefined) return;
    const isOtherSearch = place.q !== this.#place?.q;
    this.#place = place;
    this.#address.write(hashOf(place, loaded));
    if (isOtherSearch) void this.#find(place.q);
    this.#dag.show(place);
    const shownOf = JSON.stringify({ ...place, q: "", step: 0 });
    if (shownOf === this.#shownOf) {
      if (place.view === "why") this.#why.step(place.step);
      return;
    }
    this.#shownOf = shownOf;
    const row = rowAt(loaded.rows, place.row);
    const words =
      row === undefined ? [] : wordsOf(row, this.#judged?.flags[place.row] ?? 0, undefined);
    const text =
      row === undefined
        ? "no event"
        : `event ${place.row + 1} of ${loaded.rows.size}, ${row.label}, by ${row.sender}` +
          words.map(([word]) => `, ${word}`).join("");
    byId("status").textContent = `event ${place.row + 1} of ${loaded.rows.size}`;
    byId("live").textContent = text;
    this.#dag.mark(new Set());
    this.#strip.show(place.row, text, place.range);
    for (const { name } of VIEWS) {
      byId(`tab-${name}`).setAttribute("aria-selected", String(name === place.view));
      byId(`tab-${name}`).tabIndex = name === place.view ? 0 : -1;
    }
    byId("detail").setAttribute("aria-labelledby", `tab-${place.view}`);
    this.#shown = this.#show(place, loaded);
  }

  async #show(place: Place, loaded: LoadedView): Promise<void> {
    const turn = ++this.#turn;
    const { row, server, pin, beside, view } = place;
    const pinned = pin === undefined ? undefined : { row: pin };
    const base = beside === undefined ? pinned : { server: beside };
    const where: Where = { row, server, base };
    try {
      if (loaded.rows.size === 0) {
        const happened = await this.#client.ask("happenings", { row });
        byId("detail").replaceChildren(...runPane(happened, loaded, row, () => undefined));
        return;
      }
      // One at a time: what the reader has left behind by then is not asked about.
      await this.#asking;
      if (turn !== this.#turn) return;
      const asking = this.#client.ask("state", where);
      this.#asking = asking.then(
        () => undefined,
        () => undefined,
      );
      const state = await asking;
      if (turn !== this.#turn) return;
      const names = { names: loaded.servers, recorded: loaded.recorded };
      this.#state.show(state, place, names);
      await this.#detail(view, place, where, state, loaded, turn);
      if (turn === this.#turn) document.documentElement.dataset.at = `${row} ${view}`;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      if (turn === this.#turn) byId("detail").replaceChildren(h("p", { class: "fail" }, what));
    }
  }

  async #detail(
    view: ViewName,
    { row, key, server, cmp }: Place,
    where: Where,
    state: StateView,
    loaded: LoadedView,
    turn: number,
  ): Promise<void> {
    const detail = byId("detail");
    const go = (at: number) => this.go({ row: at });
    const explainKey = (one: string) => this.go({ key: one, view: "why" });
    const fill = (nodes: readonly Node[]) => {
      if (turn === this.#turn) detail.replaceChildren(...nodes);
    };
    switch (view) {
      case "why": {
        const asked = key ?? state.key;
        if (asked === undefined) return fill([h("p", { class: "hint" }, "no state yet")]);
        const told: Explanation = await this.#client.ask("explain", {
          ...where,
          server,
          key: asked,
        });
        if (turn === this.#turn) this.#why.show(told, state, this.#place?.step ?? 0);
        return;
      }
      case "event":
        return fill(eventPane(await this.#client.ask("event", { row }), go));
      case "servers":
        return fill(serversPane(await this.#client.ask("servers", { row }), loaded, row, go));
      case "compare":
        return fill(
          comparePane(await this.#client.ask("compare", { row, cmp, key }), {
            go,
            explain: explainKey,
            choose: (one) => this.go({ key: one }),
            compare: (sides) => this.go({ cmp: sides.join(",") }),
          }),
        );
      case "what-if": {
        const told = await this.#client.ask("what-if", where);
        if (turn === this.#turn) this.whatIf.show(told, key ?? state.key);
        return;
      }
      case "run":
        return fill(runPane(await this.#client.ask("happenings", { row }), loaded, row, go));
    }
  }

  async #find(query: string): Promise<void> {
    // What somebody is typing is newer than what the page was at.
    const isTyped = document.activeElement === this.#search;
    if (!isTyped && this.#search.value !== query) this.#search.value = query;
    const found = await this.#client.ask("search", { query });
    if (query !== this.#place?.q) return;
    this.#hits = [...found.rows];
    const hits = new Set(this.#hits);
    this.#dag.find(hits);
    this.#strip.find(hits);
    const told = query === "" ? "" : (found.problem ?? `${hits.size} found`);
    byId("live").textContent = told;
    byId("found").textContent = told;
    byId("found").className = found.problem === undefined ? "" : "fail";
    this.#search.setAttribute("aria-invalid", String(found.problem !== undefined));
  }

  #chips(): void {
    const [loaded, judged] = [this.#loaded, this.#judged];
    if (loaded === undefined) return;
    const chips: Node[] = [h("span", { class: "chip" }, bdi(loaded.title))];
    for (const { version } of loaded.rooms.slice(0, 3)) {
      chips.push(h("span", { class: "chip" }, `room version ${version}`));
    }
    chips.push(h("span", { class: "chip" }, `${loaded.servers.length} servers`));
    if ((this.#place?.edits ?? "") !== "") {
      chips.push(h("span", { class: "chip warn", id: "edited" }, "what if: not what happened"));
    }
    const failed = loaded.steps.filter(({ isOk }) => isOk === false).length;
    if (failed > 0)
      chips.push(
        h("span", { class: "chip fail" }, `✕ ${failed} ${failed === 1 ? "step" : "steps"} failed`),
      );
    if (loaded.problems.length > 0) {
      chips.push(h("span", { class: "chip warn" }, `${loaded.problems.length} not read`));
    }
    if (judged !== undefined && judged.expected > 0) {
      const { expected, unexpected } = judged;
      const text =
        unexpected === 0
          ? `✓ all ${expected} keys as expected`
          : `✕ ${unexpected} of ${expected} keys not as expected`;
      chips.push(
        h("span", { class: `chip ${unexpected === 0 ? "pass" : "fail"}`, id: "expected" }, text),
      );
    }
    byId("chips").replaceChildren(...chips);
  }

  #tabs(): void {
    for (const [at, { name, key: shortcut, what }] of VIEWS.entries()) {
      const tab = button(name, () => this.go({ view: name }), {
        role: "tab",
        id: `tab-${name}`,
        title: what,
        "aria-controls": "detail",
        "aria-keyshortcuts": shortcut,
      });
      byId("tabs").append(tab);
      tab.addEventListener("keydown", ({ key }) => {
        const by = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
        if (by === 0) return;
        const next = VIEWS[(at + by + VIEWS.length) % VIEWS.length]?.name ?? name;
        this.go({ view: next });
        byId(`tab-${next}`).focus();
      });
    }
  }

  #recolour(): void {
    this.#dag.recolour();
    this.#strip.recolour();
  }
}
