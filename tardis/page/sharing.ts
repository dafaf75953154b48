/** What to pass on: a link that holds the room where it is short enough for one, else the page and its files as one file. */
import type { Source } from "#tardis/view/messages";
import type { Client } from "./client.ts";
import { button, h } from "./dom.ts";
import { fileName, saveText } from "./saving.ts";

export class Sharing {
  readonly #client: Client;
  /** The page as it came, before anything was shown in it. */
  readonly #page = document.documentElement.cloneNode(true) as HTMLElement;
  readonly #link = h("input", { readonly: true, id: "link", "aria-label": "link" });
  readonly #why = h("p", { class: "hint", id: "link-why" });
  readonly #dialog = h("dialog", { id: "share", "aria-labelledby": "share-title" });
  #source: Source = [];
  #title = "";

  constructor(client: Client) {
    this.#client = client;
    this.#dialog.append(
      h("h2", { id: "share-title" }, "pass it on"),
      this.#why,
      h("p", {}, this.#link),
      h(
        "p",
        {},
        button("save it all as one file", () => void this.#save(), { id: "save-file" }),
        " ",
        button("close", () => this.#dialog.close()),
      ),
    );
    document.body.append(this.#dialog);
  }

  /** @param hash where the reader is */
  async show(source: Source, title: string, hash: string): Promise<void> {
    [this.#source, this.#title] = [source, title];
    const { link, problem } = await this.#client.ask("link", {});
    this.#link.hidden = link === undefined;
    const place = new URLSearchParams(hash.slice(1));
    place.delete("src");
    this.#link.value = `${location.href.replace(/#.*/, "")}${link ?? ""}&${place}`;
    this.#why.textContent =
      problem ?? "The link holds events, arrivals and faults, and opens in any copy of this page.";
    this.#dialog.showModal();
    if (link === undefined) return;
    this.#link.focus();
    this.#link.select();
  }

  /** The same as `crucible tardis export` makes of the files, but for what it takes out on request. */
  async #save(): Promise<void> {
    const data = await this.#client.ask("pack", { source: this.#source });
    for (const [id, text] of [
      ["data", data],
      ["source", ""],
    ] as const) {
      const holder = this.#page.querySelector(`#${id}`);
      // What is in it is no markup, nor a script that runs.
      holder?.replaceChildren(document.createTextNode(text));
    }
    const page = `<!doctype html>\n${this.#page.outerHTML}\n`;
    saveText(page, `${fileName(this.#title)}.html`, "text/html");
  }
}
