/** A page of something that goes on: what is recorded comes by server-sent events, and is shown as it comes. */
import type { LiveSource, LiveStatus } from "#tardis/view/live";
import type { App } from "./app.ts";
import { bdi, button, byId, h } from "./dom.ts";
import { Switchboard } from "./switchboard.ts";

/** At least so long between two readings of what has come, and at least twice as long as the last one took. */
const PAUSE_MS = 250;

export function goLive(app: App, source: LiveSource): void {
  const live = new Live(app);
  const board = source.isPlayable ? new Switchboard(source.token) : undefined;
  const bar = byId("switchboard");
  bar.append(live.element, ...(board === undefined ? [] : [board.element]));
  bar.hidden = false;
  document.body.classList.add("playing");
  byId("empty").hidden = true;
  byId("leaving").textContent = "nothing leaves this machine";
  const events = new EventSource(`/events?token=${source.token}`);
  const on = (name: string, take: (data: never) => void) =>
    events.addEventListener(name, ({ data }) => take(JSON.parse(data) as never));
  on("begin", ({ name }: { readonly name: string }) => live.begin(name));
  on("text", (text: string) => live.more(text));
  on("status", (status: LiveStatus) => {
    live.say(status);
    board?.show(status);
  });
  on("end", () => {
    events.close();
    live.end();
    board?.end();
  });
  events.onopen = () => live.connect(true);
  // The browser tries again by itself, unless it was refused.
  events.onerror = () => live.connect(false);
}

class Live {
  readonly element = h("p", { class: "doing" });
  readonly #app: App;
  readonly #state = h("b");
  readonly #doing = h("span");
  readonly #offer = button("", () => this.#take(), { hidden: true });
  #name = "";
  #lines: string[] = [];
  /** What has come of a line that is not at its end. */
  #rest = "";
  #hasEvents = false;
  #isNew = true;
  #isReading = false;
  #isDue = false;
  /** The reader is at another file, and is not taken away from it. */
  #isHeld = false;
  #isOver = false;

  constructor(app: App) {
    this.#app = app;
    this.element.append(this.#state, " ", this.#doing, " ", this.#offer);
  }

  begin(name: string): void {
    this.#isHeld = this.#hasEvents && !this.#app.isAtNewest;
    this.#name = name;
    this.#lines = [];
    this.#rest = "";
    this.#hasEvents = false;
    this.#isNew = true;
    this.#offer.replaceChildren("show ", bdi(name));
    this.#offer.hidden = !this.#isHeld;
  }

  more(text: string): void {
    const end = text.lastIndexOf("\n") + 1;
    if (end === 0) this.#rest += text;
    else {
      this.#lines.push(this.#rest + text.slice(0, end));
      this.#rest = text.slice(end);
      this.#hasEvents ||= text.includes('"t":"pdu"');
      this.#read();
    }
  }

  say({ doing, line, epoch, lags }: LiveStatus): void {
    const parts = [
      ...(epoch > 0 ? [`epoch ${epoch}`] : []),
      doing,
      ...(line === "" ? [] : [`last: ${line}`]),
      ...(lags.length === 0
        ? []
        : [`on their way: ${lags.map(([link, count]) => `${link} ${count}`).join(", ")}`]),
    ];
    this.#doing.replaceChildren(bdi(parts.join(" · ")));
  }

  connect(isOpen: boolean): void {
    if (!this.#isOver) this.#state.textContent = isOpen ? "live" : "no connection, trying again";
  }

  end(): void {
    this.#isOver = true;
    this.#state.textContent = "over: what came is here";
  }

  #take(): void {
    this.#isHeld = false;
    this.#offer.hidden = true;
    this.#read();
  }

  /** One reading at a time; the next one has all that came meanwhile. */
  #read(): void {
    this.#isDue = true;
    if (this.#isReading || this.#isHeld || !this.#hasEvents) return;
    this.#isReading = true;
    this.#isDue = false;
    const began = performance.now();
    const file = new File(this.#lines, this.#name);
    // What could not be read the last time was not shown either.
    const isFirst = this.#isNew || this.#app.loaded === undefined;
    const read = isFirst ? this.#app.open([file]) : this.#app.grow([file]);
    this.#isNew = false;
    void read.then(() => {
      const took = performance.now() - began;
      setTimeout(
        () => {
          this.#isReading = false;
          if (this.#isDue) this.#read();
        },
        Math.max(PAUSE_MS, 2 * took),
      );
    });
  }
}
