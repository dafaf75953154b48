/** The forms that people fill in. */
import type { ClientMetadata } from "oidc-provider";
import { alert, html, type Markup } from "./html.ts";

export interface LoginForm {
  /** Hidden: against forged requests. */
  readonly field: Markup;
  readonly problem?: string | undefined;
  readonly username?: string;
}

export function loginForm({ field, problem, username }: LoginForm): Markup {
  return html`${alert(problem)}<form method="post">
${field}<label>User name <input name="username" value="${username}" autocomplete="username" autocapitalize="none" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Log in</button>
</form>
<p><a href="?register">Create an account</a></p>`;
}

export function registerForm({ field, problem, username }: LoginForm): Markup {
  return html`${alert(problem)}<form method="post">
${field}<label>User name <input name="username" value="${username}" autocomplete="username" autocapitalize="none" required></label>
<label>Password <input name="password" type="password" autocomplete="new-password" required></label>
<label>Password, once more <input name="password_confirm" type="password" autocomplete="new-password" required></label>
<button type="submit">Create account</button>
</form>`;
}

export interface ConsentForm {
  readonly field: Markup;
  readonly problem?: string | undefined;
  readonly client: ClientMetadata | undefined;
  readonly localpart: string;
  readonly deviceId: string;
}

export function consentForm({ field, problem, client, localpart, deviceId }: ConsentForm): Markup {
  return html`${alert(problem)}${about(client)}
<p>It asks for full access to the account of <strong>${localpart}</strong>, as device <strong>${deviceId}</strong>.</p>
<form method="post">
${field}<button type="submit" name="action" value="consent">Allow</button>
<button type="submit" name="action" value="reject">Cancel</button>
</form>`;
}

/** Who asks. Its links are https, see uris.ts. */
export function about(client: ClientMetadata | undefined): Markup {
  const name = client?.client_name ?? client?.client_id;
  const links = [
    { uri: client?.client_uri, text: client?.client_uri },
    { uri: client?.tos_uri, text: "Terms of service" },
    { uri: client?.policy_uri, text: "Privacy policy" },
  ].filter(({ uri }) => uri !== undefined);
  return html`<p>Client: <strong>${name}</strong></p>
<ul>${links.map(({ uri, text }) => html`<li><a href="${uri}" rel="noreferrer">${text}</a></li>`)}</ul>`;
}
