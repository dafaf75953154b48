/** What a person's browser does with our pages: cookies, redirects by hand, forms. */
import { request } from "undici";

export interface Shown {
  readonly status: number;
  readonly url: string;
  /** Where it was sent when that is not the service. */
  readonly left: string | undefined;
  readonly text: string;
  /** Name of the page. */
  readonly page: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export class BrowserForSpecs {
  readonly #base: string;
  readonly #cookies: Map<string, string>;
  /** Each cookie as it was set, with its attributes. */
  readonly cookiesSet: string[] = [];

  constructor(base: string, cookies: ReadonlyMap<string, string> = new Map()) {
    this.#base = base;
    this.#cookies = new Map(cookies);
  }

  /** Another one that knows the cookies of this one, as who has stolen them does. */
  copy(): BrowserForSpecs {
    return new BrowserForSpecs(this.#base, this.#cookies);
  }

  open(url: string | URL): Promise<Shown> {
    return this.#go("GET", String(url));
  }

  /** Sends the form of the page with these fields filled in, to where the page is. */
  submit({ url, text }: Shown, fields: Readonly<Record<string, string>>): Promise<Shown> {
    const csrf = /name="csrf" value="([^"]*)"/.exec(text)?.[1] ?? "";
    return this.#go("POST", url, new URLSearchParams({ csrf, ...fields }).toString());
  }

  async #go(method: "GET" | "POST", url: string, body?: string): Promise<Shown> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await request(url, {
      method,
      headers: {
        accept: "text/html",
        ...(cookie === "" ? {} : { cookie }),
        ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      },
      body: body ?? null,
    });
    for (const set of [answer.headers["set-cookie"] ?? []].flat()) this.#keep(set);
    const text = await answer.body.text();
    const { location } = answer.headers;
    const shown = {
      status: answer.statusCode,
      url,
      left: undefined,
      text,
      page: /data-page="([^"]+)"/.exec(text)?.[1],
      headers: answer.headers,
    };
    if (typeof location !== "string") return shown;
    const target = new URL(location, url).href;
    return target.startsWith(this.#base)
      ? await this.#go("GET", target)
      : { ...shown, left: target };
  }

  /** Paths are left out: each name is used on one path only. */
  #keep(set: string): void {
    this.cookiesSet.push(set);
    const [pair = ""] = set.split(";");
    const [name = "", ...value] = pair.split("=");
    if (/expires=Thu, 01 Jan 1970/i.test(set)) this.#cookies.delete(name);
    else this.#cookies.set(name, value.join("="));
  }
}
