/**
 * A person in front of the pages of an authorization server: signs in or registers, consents or rejects, until the browser
 * is sent back to the client. What the pages look like is told by one reader for each implementation.
 */
import { parse } from "node-html-parser";
import { CheckFailure, HarnessError, Unsupported } from "#harness/errors";
import type { Account } from "#harness/world/session";
import { mas } from "./agents/mas.ts";
import { oidc } from "./agents/oidc.ts";
import type { AuthClient } from "./auth-client.ts";
import { Browser, type Form, type Landing, type Page } from "./browser.ts";
import { type Callback, readCallback } from "./callback.ts";

/** What a page asks its reader for. */
export type Question =
  | "login"
  | "register"
  /** How somebody whose registration has been taken wants to be called. */
  | "display-name"
  | "consent"
  /** The code that another device shows (RFC 8628). */
  | "user-code"
  /** Whether that device may sign in. */
  | "device-consent"
  /** Whether something that can not be undone is to be done; it may ask for the password. */
  | "account-confirm";

export interface Answers {
  readonly username: string;
  readonly password: string;
  readonly userCode?: string;
}

/** One implementation's pages. */
export interface PageReader {
  /** As auth services tell their kind. */
  readonly kind: string;
  /** Undefined: the page asks for nothing that a reader knows. */
  readonly question: (page: Page) => Question | undefined;
  /** Fields that answer it with yes. */
  readonly answer: (question: Question, form: Form, answers: Answers) => Record<string, string>;
  /** What to do on a page that asks for consent to say no: a form's fields, or a link to open. */
  readonly reject: (page: Page, form: Form) => Record<string, string> | { readonly link: string };
}

const READERS: readonly PageReader[] = [oidc, mas];

/** At which page to stop, and what to say. */
export interface Visit {
  readonly account: Account;
  readonly userCode?: string;
  readonly consent?: "give" | "reject";
  /** Stops at the first page that asks this, unanswered. */
  readonly until?: Question;
}

const PAGES_AT_MOST = 12;

export class UserAgent {
  readonly browser: Browser;
  readonly #reader: PageReader;

  constructor(client: AuthClient, kind: string) {
    const reader = READERS.find((each) => each.kind === kind);
    if (reader === undefined)
      throw new Unsupported("user-agent", `nothing here knows the pages of ${kind}`);
    this.#reader = reader;
    this.browser = new Browser(client);
  }

  question(page: Page): Question | undefined {
    return this.#reader.question(page);
  }

  /**
   * A page on which the browser ended must not be one that goes on by a form which nobody here can fill in: what it would
   * have led to is not known, and is no verdict on the server.
   *
   * @throws HarnessError UNREAD_PAGE
   */
  expectEnd(landing: Landing): void {
    if (landing.kind === "left" || landing.response.status >= 400) return;
    const goesOn = landing.forms.some(({ method }) => method === "POST");
    if (!goesOn || this.question(landing) !== undefined) return;
    throw new HarnessError("UNREAD_PAGE", {
      what: `nothing here knows what ${summary(landing)} asks for`,
      facts: [landing.response.describe()],
      next: `harness/clients/oauth/agents/${this.#reader.kind}.ts has to learn it`,
    });
  }

  /** The form of a page that asks something. */
  form(page: Page): Form {
    const form = page.forms.find(({ method }) => method === "POST") ?? page.forms[0];
    if (form === undefined)
      throw new CheckFailure("a page with a form", summary(page), page.response.describe());
    return form;
  }

  async visit(url: string, visit: Visit): Promise<Landing> {
    return await this.continue(await this.browser.open(url), visit);
  }

  /** Goes on from a page: answers all that pages ask, until there is none that asks or the browser has left. */
  async continue(landing: Landing, visit: Visit): Promise<Landing> {
    let here = landing;
    for (let pages = 0; here.kind === "page"; pages++) {
      const question = this.question(here);
      if (question === undefined || question === visit.until) return here;
      if (pages === PAGES_AT_MOST) {
        throw new CheckFailure(
          `an end of the pages after ${PAGES_AT_MOST}`,
          `one more that asks for ${question}`,
          here.response.describe(),
        );
      }
      here = await this.answer(here, question, visit);
    }
    return here;
  }

  async answer(page: Page, question: Question, visit: Visit): Promise<Landing> {
    const form = this.form(page);
    const isConsent = question === "consent" || question === "device-consent";
    if (isConsent && visit.consent === "reject") {
      const no = this.#reader.reject(page, form);
      return "link" in no && typeof no.link === "string"
        ? await this.browser.follow(page, no.link)
        : await this.browser.submit(form, no as Record<string, string>);
    }
    const { localpart: username, password } = visit.account;
    const { userCode } = visit;
    const answers = { username, password, ...(userCode === undefined ? {} : { userCode }) };
    return await this.browser.submit(form, this.#reader.answer(question, form, answers));
  }

  /** As `visit`, which has to end with the browser being sent to the client. */
  async authorize(url: string, visit: Visit): Promise<Callback> {
    const landing = await this.visit(url, visit);
    this.expectEnd(landing);
    return callbackOf(landing);
  }
}

/** @throws CheckFailure when the browser is still on a page */
export function callbackOf(landing: Landing): Callback {
  if (landing.kind === "left") return readCallback(landing.url);
  throw new CheckFailure(
    "the browser to be sent back to the client",
    summary(landing),
    landing.response.describe(),
  );
}

/**
 * A page that has to be read is there to be read. One whose scripts draw it shows nothing here, where no scripts run.
 *
 * @throws Unsupported
 */
export function expectReadable(page: Page): void {
  const html = parse(page.response.text);
  const scripts = html.querySelectorAll("script");
  for (const script of scripts) script.remove();
  const isBlank = html.querySelector("body")?.text.trim() === "";
  if (scripts.length > 0 && isBlank && page.forms.length === 0)
    throw new Unsupported("scripts", `${summary(page)} is drawn by scripts, and none run here`);
}

/** Where a page is and how it is called, for messages. */
export function summary(page: Page): string {
  const title = page.html.querySelector("title")?.text.trim() ?? "";
  return `a page with status ${page.response.status}${title === "" ? "" : ` called "${title.slice(0, 100)}"`}`;
}
