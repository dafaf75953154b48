/** The run that the page has: opened, with more in it as it goes on, and with edits. */
import { describe } from "#harness/errors";
import type { JudgedView, LoadedView, Source } from "#tardis/view/messages";
import { rowNamed, textAt } from "#tardis/view/row-columns";
import type { Client } from "./client.ts";
import { bdi, byId } from "./dom.ts";
import { editsIn, type Place, placeIn } from "./place.ts";

/** The page, as far as it shows what is loaded. */
export interface Loads {
  readonly place: () => Place | undefined;
  readonly isAtNewest: () => boolean;
  /** Another run than before, or other edits of it; resolves once the place is shown. */
  readonly begin: (loaded: LoadedView, place: Place) => Promise<void>;
  readonly judge: (judged: JudgedView) => void;
  /** The same run, with more in it. */
  readonly grow: (loaded: LoadedView, judged: JudgedView, place: Place) => void;
  /** What came of edits. */
  readonly say: (text: string) => void;
}

export class Loading {
  readonly #client: Client;
  readonly #page: Loads;
  #source: Source = [];
  #loaded: LoadedView | undefined;
  #judged: JudgedView | undefined;
  /** Of what was opened last. */
  #turn = 0;

  constructor(client: Client, page: Loads) {
    this.#client = client;
    this.#page = page;
  }

  get source(): Source {
    return this.#source;
  }

  get loaded(): LoadedView | undefined {
    return this.#loaded;
  }

  /** Undefined until the rooms were replayed. */
  get judged(): JudgedView | undefined {
    return this.#judged;
  }

  /** Whether it is there: not when it can not be read, nor when another one was opened meanwhile. */
  async open(source: Source): Promise<boolean> {
    const turn = ++this.#turn;
    this.#source = source;
    byId("status").textContent = "reading";
    try {
      const loaded = await this.#client.ask("load", { source });
      if (turn !== this.#turn) return false;
      byId("empty").hidden = true;
      document.title = `${loaded.title} · room replay`;
      byId("notice").hidden = loaded.notice === undefined;
      byId("notice").replaceChildren(bdi(loaded.notice ?? ""));
      const edits = editsIn(location.hash);
      const edited = await this.#edited(edits);
      if (turn !== this.#turn) return false;
      const now = edited ?? loaded;
      const place = placeIn(location.hash, now);
      await this.#take(now, { ...place, edits: edited === undefined ? "" : edits });
      return true;
    } catch (error) {
      byId("status").textContent = describe(error);
      byId("trouble").textContent = byId("status").textContent;
      return false;
    }
  }

  /** The same with more in it: who is at the newest event stays there, and who is elsewhere is left in peace. */
  async grow(source: Source): Promise<void> {
    this.#source = source;
    const turn = this.#turn;
    try {
      const whole = await this.#client.ask("load", { source });
      const { edits = "" } = this.#page.place() ?? {};
      const edited = await this.#edited(edits);
      const loaded = edited ?? whole;
      const judged = await this.#client.ask("judge", {});
      const [before, place] = [this.#loaded, this.#page.place()];
      if (before === undefined || place === undefined) return;
      const rowNow = (was: number) => rowNamed(loaded.rows, textAt(before.rows.ids, was));
      const own = rowNow(place.row);
      const pin = place.pin === undefined ? undefined : rowNow(place.pin);
      const row = this.#page.isAtNewest() || own < 0 ? loaded.rows.size - 1 : own;
      const key = row === own ? place.key : undefined;
      this.#loaded = loaded;
      this.#judged = judged;
      this.#page.grow(loaded, judged, {
        ...place,
        row,
        pin,
        key,
        edits: edited === undefined ? "" : edits,
      });
    } catch (error) {
      const what = describe(error);
      if (turn === this.#turn) byId("status").textContent = what;
    }
  }

  /** @throws Error for edits that can not be done */
  async edit(edits: string): Promise<void> {
    const { loaded, rows } = await this.#client.ask("edit", { edits });
    const place = this.#page.place();
    if (place === undefined) return;
    // Where the event is gone, the one before it that is there.
    let before = place.row;
    while (before > 0 && (rows[before] ?? -1) < 0) before--;
    const rowOf = (row: number | undefined) => {
      const now = row === undefined ? -1 : (rows[row] ?? -1);
      return now < 0 ? undefined : now;
    };
    const row = rowOf(before) ?? 0;
    await this.#take(loaded, { ...place, row, pin: rowOf(place.pin), edits });
  }

  /** What was loaded with the edits of a link; undefined where there are none, or they can not be done. */
  async #edited(edits: string): Promise<LoadedView | undefined> {
    if (edits === "") return undefined;
    try {
      return (await this.#client.ask("edit", { edits })).loaded;
    } catch (error) {
      this.#page.say(describe(error));
      return undefined;
    }
  }

  async #take(loaded: LoadedView, place: Place): Promise<void> {
    this.#loaded = loaded;
    this.#judged = undefined;
    const shown = this.#page.begin(loaded, place);
    const judged = await this.#client.ask("judge", {});
    if (this.#loaded !== loaded) return;
    this.#judged = judged;
    this.#page.judge(judged);
    await shown;
  }
}
