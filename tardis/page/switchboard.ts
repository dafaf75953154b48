/**
 * Links and servers of a run that goes on, and buttons that have a hand in it. A button does what it says whatever has become
 * of the link since it was looked at: the run heals by itself, too.
 */
import { describe } from "#harness/errors";
import {
  LINK_FAULTS,
  type LiveAnswer,
  type LiveCommand,
  type LiveStatus,
  SERVER_ACTIONS,
} from "#tardis/view/live";
import { bdi, button, h } from "./dom.ts";

type ServerAction = (typeof SERVER_ACTIONS)[number];

export class Switchboard {
  readonly element = h("div", { class: "board" });
  readonly #token: string;
  readonly #table = h("table", { "aria-label": "links, senders down, receivers across" });
  readonly #how = h("select", { "aria-label": "how links are cut" });
  readonly #answer = h("p", { role: "status", class: "hint", id: "answer" });
  readonly #links = new Map<string, HTMLElement>();
  readonly #conditions = new Map<string, HTMLElement>();
  #roles = "";

  constructor(token: string) {
    this.#token = token;
    for (const how of LINK_FAULTS) this.#how.append(h("option", { value: how }, how));
    const all = h(
      "p",
      { class: "all" },
      h("label", {}, "cut by ", this.#how),
      " ",
      button("heal all", () => this.#send({ do: "heal" })),
      " ",
      button("nudge", () => this.#send({ do: "nudge" }), {
        title: "each server says one thing in each room",
      }),
      " ",
      button("check", () => this.#send({ do: "check" }), {
        title: "all faults end, and the servers have to agree",
      }),
    );
    this.element.append(this.#table, h("div", {}, all, this.#answer));
  }

  show({ servers, faults }: LiveStatus): void {
    const roles = servers.map(({ role }) => role);
    // Between stories nothing is known of servers: what is there stays.
    if (roles.length > 0 && roles.join() !== this.#roles) this.#make(roles);
    for (const [link, element] of this.#links) {
      const found = faults.filter(({ links }) => links.includes(link)).map(({ text }) => text);
      element.classList.toggle("fail", found.length > 0);
      setText(element, found.length === 0 ? "whole" : `✕ ${found.join(", ")}`);
    }
    for (const { role, condition } of servers) {
      const element = this.#conditions.get(role);
      if (element !== undefined) setText(element, condition);
    }
  }

  end(): void {
    for (const control of this.element.querySelectorAll("button, select"))
      control.setAttribute("disabled", "");
  }

  #make(roles: readonly string[]): void {
    this.#roles = roles.join();
    this.#links.clear();
    this.#conditions.clear();
    const head = h("tr", {}, h("th", { scope: "col" }, "from, to"));
    for (const to of roles) head.append(h("th", { scope: "col" }, bdi(to)));
    head.append(h("th", { scope: "col" }, "server"));
    const body = h("tbody");
    for (const from of roles) {
      const line = h("tr", {}, h("th", { scope: "row" }, bdi(from)));
      for (const to of roles) line.append(h("td", {}, ...this.#link(from, to)));
      const condition = h("span", { class: "condition" }, "running");
      this.#conditions.set(from, condition);
      const cell = h("td", {}, condition);
      for (const action of SERVER_ACTIONS) cell.append(" ", this.#serverButton(from, action));
      line.append(cell);
      body.append(line);
    }
    this.#table.replaceChildren(h("thead", {}, head), body);
  }

  #link(from: string, to: string): readonly (Node | string)[] {
    if (from === to) return [];
    const link = `${from}>${to}`;
    const fault = h("span", { class: "fault", "data-link": link }, "whole");
    this.#links.set(link, fault);
    const cut = () => {
      const how = LINK_FAULTS.find((one) => one === this.#how.value) ?? "refuse";
      this.#send({ do: "cut", link, how });
    };
    return [
      fault,
      " ",
      button("cut", cut, { "aria-label": `cut ${from} to ${to}` }),
      " ",
      button("heal", () => this.#send({ do: "heal", link }), {
        "aria-label": `heal ${from} to ${to}`,
      }),
    ];
  }

  #serverButton(server: string, action: ServerAction): HTMLButtonElement {
    return button(action, () => this.#send({ do: "server", server, action }), {
      "aria-label": `${action} ${server}`,
    });
  }

  #send(command: LiveCommand): void {
    const what = Object.values(command).join(" ");
    this.#answer.replaceChildren(`asked: ${what}; it comes after the step that the run is at`);
    void this.#post(command).then((answer) => {
      const text = "done" in answer ? `✓ ${answer.done}` : `✕ ${answer.error}`;
      this.#answer.replaceChildren(bdi(text));
    });
  }

  async #post(command: LiveCommand): Promise<LiveAnswer> {
    try {
      // biome-ignore lint/style/noRestrictedGlobals: the harness client is for Node, and this page asks its own server
      const response = await fetch(`/do?token=${this.#token}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(command),
      });
      const isJson = response.headers.get("content-type") === "application/json";
      return isJson ? ((await response.json()) as LiveAnswer) : { error: await response.text() };
    } catch (error) {
      return { error: describe(error) };
    }
  }
}

/** Left alone where it is the same: who reads it is not disturbed. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
