/** The field of the search, with what it found last. */
import type { Client } from "./client.ts";
import { byId, h } from "./dom.ts";

export interface SearchActions {
  readonly type: (query: string) => void;
  readonly found: (hits: ReadonlySet<number>) => void;
}

export class SearchField {
  readonly element = h("input", {
    id: "search",
    type: "search",
    placeholder: "/ search: type:topic conflict:yes",
    "aria-label": "search events",
    "aria-describedby": "found",
  });
  readonly #client: Client;
  readonly #actions: SearchActions;
  #query = "";
  #hits: ReadonlySet<number> = new Set();

  constructor(client: Client, actions: SearchActions) {
    this.#client = client;
    this.#actions = actions;
    this.element.addEventListener("input", () => {
      this.forget();
      actions.type(this.element.value);
    });
  }

  get hits(): ReadonlySet<number> {
    return this.#hits;
  }

  /** What another query found, or this one in another run, says nothing. */
  forget(): void {
    this.#hits = new Set();
    byId("found").textContent = "";
  }

  async find(query: string): Promise<void> {
    this.#query = query;
    // What somebody is typing is newer than what the page was at.
    const isTyped = document.activeElement === this.element;
    if (!isTyped && this.element.value !== query) this.element.value = query;
    const { rows, problem } = await this.#client.ask("search", { query });
    if (query !== this.#query) return;
    this.#hits = new Set(rows);
    this.#actions.found(this.#hits);
    const told = query === "" ? "" : (problem ?? `${this.#hits.size} found`);
    byId("live").textContent = told;
    byId("found").textContent = told;
    byId("found").className = problem === undefined ? "" : "fail";
    this.element.setAttribute("aria-invalid", String(problem !== undefined));
  }
}
