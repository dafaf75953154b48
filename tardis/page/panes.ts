/** What the worker is asked about a place, and the panes that show it: the state, and one of the views. */
import { describe } from "#harness/errors";
import type { LoadedView, StateView, Where } from "#tardis/view/messages";
import type { Client } from "./client.ts";
import { comparePane } from "./compare-pane.ts";
import { byId, h } from "./dom.ts";
import { eventPane } from "./event-pane.ts";
import type { Place } from "./place.ts";
import { rest } from "./rest.ts";
import { runPane } from "./run-pane.ts";
import { serversPane } from "./servers-pane.ts";
import { StatePane } from "./state-pane.ts";
import { WhatIfPane } from "./what-if-pane.ts";
import { WhyPane } from "./why-pane.ts";

export interface PanesActions {
  readonly place: () => Place | undefined;
  readonly go: (change: Partial<Place>) => void;
  /** Tells what can not be done. */
  readonly edit: (edits: string) => Promise<void>;
  /** @param ids of events that a sentence is about */
  readonly mark: (ids: readonly string[]) => void;
}

export class Panes {
  readonly why: WhyPane;
  readonly whatIf: WhatIfPane;
  readonly #state: StatePane;
  readonly #client: Client;
  readonly #actions: PanesActions;
  /** Of what was asked for last: answers to what came before are of no use. */
  #turn = 0;
  /** Until the state that was asked for last is there, or is not to be had. */
  #asking: Promise<void> = Promise.resolve();

  constructor(client: Client, actions: PanesActions) {
    this.#client = client;
    this.#actions = actions;
    const { place, go } = actions;
    const goTo = (row: number) => go({ row });
    const explain = (key: string) => go({ key, view: "why" });
    this.#state = new StatePane(byId("state"), {
      explain,
      go: goTo,
      diff: () => go({ isDiff: !(place()?.isDiff ?? false) }),
      server: (server) => go({ server }),
      beside: (beside) => go({ beside }),
    });
    this.why = new WhyPane(byId("detail"), {
      choose: (key) => go({ key }),
      mark: actions.mark,
      stepped: (step) => go({ step }),
    });
    this.whatIf = new WhatIfPane(byId("detail"), {
      edits: () => place()?.edits ?? "",
      edit: actions.edit,
      shrink: (key, ms) => client.ask("shrink", { row: place()?.row ?? 0, key, ms }),
      scenario: async () => {
        const { row = 0, key } = place() ?? {};
        return (await client.ask("scenario", { row, key })).text;
      },
      go: goTo,
      explain,
    });
  }

  /** What is still being asked about is shown no more. */
  leave(): void {
    this.#turn++;
  }

  async show(place: Place, loaded: LoadedView): Promise<void> {
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
      // Nor is what is passed: to lay out the panes takes longer than a frame has.
      await rest();
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
      await this.#detail(place, where, state, loaded, turn);
      if (turn === this.#turn) document.documentElement.dataset.at = `${row} ${view}`;
    } catch (error) {
      const what = describe(error);
      if (turn === this.#turn) byId("detail").replaceChildren(h("p", { class: "fail" }, what));
    }
  }

  async #detail(
    { view, row, key, cmp }: Place,
    where: Where,
    state: StateView,
    loaded: LoadedView,
    turn: number,
  ): Promise<void> {
    const client = this.#client;
    const { go, place } = this.#actions;
    const goTo = (at: number) => go({ row: at });
    const fill = (nodes: readonly Node[]) => {
      if (turn === this.#turn) byId("detail").replaceChildren(...nodes);
    };
    switch (view) {
      case "why": {
        const asked = key ?? state.key;
        if (asked === undefined) return fill([h("p", { class: "hint" }, "no state yet")]);
        const told = await client.ask("explain", { ...where, key: asked });
        if (turn === this.#turn) this.why.show(told, state, place()?.step ?? 0);
        return;
      }
      case "event":
        return fill(eventPane(await client.ask("event", { row }), goTo));
      case "servers":
        return fill(serversPane(await client.ask("servers", { row }), loaded, row, goTo));
      case "compare":
        return fill(
          comparePane(await client.ask("compare", { row, cmp, key }), {
            go: goTo,
            explain: (one) => go({ key: one, view: "why" }),
            choose: (one) => go({ key: one }),
            compare: (sides) => go({ cmp: sides.join(",") }),
          }),
        );
      case "what-if": {
        const told = await client.ask("what-if", where);
        if (turn === this.#turn) this.whatIf.show(told, key ?? state.key);
        return;
      }
      case "run":
        return fill(runPane(await client.ask("happenings", { row }), loaded, row, goTo));
    }
  }
}
