/** A browser without a screen: cookies, redirects followed by hand, and the forms of pages. */
import { type HTMLElement, parse } from "node-html-parser";
import { CookieJar } from "tough-cookie";
import { CheckFailure } from "#harness/errors";
import type { HttpResponse, RequestOptions } from "#harness/http/client";
import type { AuthClient } from "./auth-client.ts";
import { encodeForm } from "./form.ts";

const REDIRECTS_AT_MOST = 20;
const REDIRECTS = [301, 302, 303, 307, 308];

export interface Button {
  readonly name: string;
  readonly value: string;
}

export interface Form {
  /** Absolute. */
  readonly action: string;
  readonly method: string;
  /** Inputs with the values that the page gives them. */
  readonly fields: Readonly<Record<string, string>>;
  /** Checkboxes, ticked or not. */
  readonly boxes: readonly string[];
  readonly buttons: readonly Button[];
}

/** A page on which redirects ended. */
export interface Page {
  readonly kind: "page";
  readonly url: string;
  readonly response: HttpResponse;
  readonly html: HTMLElement;
  readonly forms: readonly Form[];
}

/** A redirect, a link or a form to somewhere else: to a client. It is not followed. */
export interface Departure {
  readonly kind: "left";
  readonly url: string;
  readonly response: HttpResponse;
}

export type Landing = Page | Departure;

export class Browser {
  readonly #client: AuthClient;
  readonly jar = new CookieJar(undefined, { rejectPublicSuffixes: false });
  /** Every answer so far, oldest first. */
  readonly history: HttpResponse[] = [];
  /** Of the newest request. */
  lastUrl = "";
  readonly #homes: ReadonlySet<string>;

  constructor(client: AuthClient) {
    this.#client = client;
    this.#homes = new Set(
      Object.values(client.metadata.document).flatMap((value) =>
        typeof value === "string" && URL.canParse(value) ? [new URL(value).origin] : [],
      ),
    );
  }

  open(url: string, options: RequestOptions = {}): Promise<Landing> {
    return this.#go("GET", url, options);
  }

  /** A link of a page, which may lead away. */
  async follow(page: Page, link: string): Promise<Landing> {
    const url = resolve(link, page.url);
    if (!this.#isHome(url)) return { kind: "left", url, response: page.response };
    return await this.open(url);
  }

  /** Sends a form as its page has it, with these values instead. */
  submit(form: Form, values: Readonly<Record<string, string>>): Promise<Landing> {
    const text = encodeForm({ ...form.fields, ...values });
    if (form.method === "GET") {
      const url = new URL(form.action);
      url.search = text;
      return this.#go("GET", url.href, {});
    }
    return this.#go("POST", form.action, formPost(text));
  }

  /** One request with the cookies that belong to it; redirects are not followed. */
  async request(method: string, url: string, options: RequestOptions = {}): Promise<HttpResponse> {
    const cookie = await this.jar.getCookieString(url);
    const response = await this.#client.request(method, url, {
      ...options,
      headers: {
        accept: "text/html,application/xhtml+xml",
        ...(cookie === "" ? {} : { cookie }),
        ...options.headers,
      },
    });
    for (const line of many(response.headers["set-cookie"]))
      await this.jar.setCookie(line, url, { ignoreError: true });
    this.history.push(response);
    this.lastUrl = url;
    return response;
  }

  async #go(method: string, target: string, options: RequestOptions): Promise<Landing> {
    let [url, response] = [target, await this.request(method, target, options)];
    for (let hops = 0; REDIRECTS.includes(response.status); hops++) {
      const location = response.headers.location;
      if (typeof location !== "string") break;
      if (hops === REDIRECTS_AT_MOST) {
        const expected = `an end of redirects after ${REDIRECTS_AT_MOST}`;
        throw new CheckFailure(expected, "one more", response.describe());
      }
      const next = resolve(location, url);
      if (!this.#isHome(next)) return { kind: "left", url: next, response };
      const keeps = response.status === 307 || response.status === 308;
      [url, response] = [
        next,
        keeps ? await this.request(method, next, options) : await this.request("GET", next),
      ];
    }
    const html = parse(response.text);
    const forms = formsOf(html, url);
    const [form] = forms;
    // A browser sends it by the script of the page (OAuth 2.0 Form Post Response Mode §2).
    if (form !== undefined && !this.#isHome(form.action))
      return { kind: "left", url: form.action, response };
    return { kind: "page", url, response, html, forms };
  }

  #isHome(url: string): boolean {
    return URL.canParse(url) && this.#homes.has(new URL(url).origin);
  }
}

export function formPost(text: string): RequestOptions {
  return { raw: text, headers: { "content-type": "application/x-www-form-urlencoded" } };
}

function formsOf(html: HTMLElement, url: string): readonly Form[] {
  return html.querySelectorAll("form").map((form) => {
    const inputs = form.querySelectorAll("input");
    const named = inputs.filter((input) => input.hasAttribute("name"));
    const typeOf = (input: HTMLElement) => (input.getAttribute("type") ?? "text").toLowerCase();
    const isBox = (input: HTMLElement) => ["checkbox", "radio"].includes(typeOf(input));
    const buttons = [
      ...form.querySelectorAll("button"),
      ...inputs.filter((input) => typeOf(input) === "submit"),
    ];
    return {
      action: resolve(form.getAttribute("action") ?? "", url),
      method: (form.getAttribute("method") ?? "GET").toUpperCase(),
      fields: Object.fromEntries(
        named
          .filter((input) => typeOf(input) !== "submit")
          .filter((input) => !isBox(input) || input.hasAttribute("checked"))
          .map((input) => [nameOf(input), givenValue(input, isBox(input) ? "on" : "")]),
      ),
      boxes: named.filter(isBox).map(nameOf),
      buttons: buttons
        .filter((button) => button.hasAttribute("name"))
        .map((button) => ({ name: nameOf(button), value: givenValue(button, "") })),
    };
  });
}

function nameOf(element: HTMLElement): string {
  return element.getAttribute("name") ?? "";
}

function givenValue(element: HTMLElement, otherwise: string): string {
  return element.getAttribute("value") ?? otherwise;
}

function resolve(location: string, base: string): string {
  return URL.canParse(location) ? location : new URL(location, base).href;
}

function many(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
