/** What the login and registration forms say, wherever they stand. */
import type { Homeserver } from "../homeserver.ts";
import { type Account, type Accounts, localpartOf } from "../store/accounts.ts";

type Form = ReadonlyMap<string, string>;

/** Specification, User Identifiers: what new ones may consist of. */
const LOCALPART = /^[a-z0-9._=/+-]+$/;
const LONGEST_LOCALPART = 200;

export class Credentials {
  readonly #accounts: Accounts;
  readonly #homeserver: Homeserver;
  readonly #serverName: string;

  constructor(accounts: Accounts, homeserver: Homeserver, serverName: string) {
    this.#accounts = accounts;
    this.#homeserver = homeserver;
    this.#serverName = serverName;
  }

  /** The account that may go on, or why none may. */
  check(form: Form): Account | string {
    const localpart = localpartOf(form.get("username") ?? "", this.#serverName);
    const account = this.#accounts.withPassword(localpart, form.get("password") ?? "");
    if (account === undefined || account.isDeactivated) return "Wrong user name or password.";
    return account.isLocked ? "This account is locked." : account;
  }

  /** The account that was made, or why none was. */
  async register(form: Form): Promise<Account | string> {
    const localpart = localpartOf(form.get("username") ?? "", this.#serverName);
    const password = form.get("password") ?? "";
    if (!LOCALPART.test(localpart) || localpart.length > LONGEST_LOCALPART) {
      return "User names consist of lower-case letters, digits and . _ = / + -";
    }
    if (password === "") return "A password is needed.";
    if (password !== form.get("password_confirm")) return "The two passwords differ.";
    const isFree = await this.#homeserver.isAvailable(localpart);
    if (!isFree || !this.#accounts.add(localpart, password)) return "This name is taken.";
    await this.#homeserver.provisionUser({ localpart });
    return this.#accounts.find(localpart) ?? "This name is taken.";
  }
}
