/** The account pages: what users see of their sessions, and what they end or allow (MSC4191, MSC4312). */
import type { Provider } from "oidc-provider";
import type { Questions } from "../control/questions.ts";
import { type Context, type Next, readForm } from "../http.ts";
import type { Account, Accounts } from "../store/accounts.ts";
import type { AuthSessionRow, Sessions } from "../store/sessions.ts";
import { ACCOUNT, type AccountAction, accountAction } from "./account-actions.ts";
import type { FormCookie } from "./form-cookie.ts";
import { about } from "./forms.ts";
import { alert, answerPage, html, type Markup } from "./html.ts";
import type { SignedIn } from "./signed-in.ts";

export interface AccountParts {
  readonly provider: Provider;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly signedIn: SignedIn;
  readonly formCookie: FormCookie;
  /** What is done once it is confirmed. */
  readonly admin: Pick<Questions, "endSession" | "deactivate" | "allowCrossSigningReset">;
  readonly serverName: string;
}

/** One visit: who, and the session that the link names, when it is one of theirs. */
interface Visit {
  readonly context: Context;
  readonly account: Account;
  readonly session: AuthSessionRow | undefined;
}

export function accountPages(parts: AccountParts) {
  return async (context: Context, next: Next): Promise<void> => {
    if (context.path !== ACCOUNT) return await next();
    const account = await parts.signedIn(context);
    if (account === undefined) return;
    const { device_id: deviceId } = context.query;
    // A link that names no device is about none, also where a session has none.
    const session =
      typeof deviceId === "string"
        ? parts.sessions
            .live(account.localpart)
            .find((candidate) => candidate.deviceId === deviceId)
        : undefined;
    await visit(parts, { context, account, session }, accountAction(context.query.action));
  };
}

async function visit(parts: AccountParts, visited: Visit, action: AccountAction): Promise<void> {
  const { account, session } = visited;
  const user = `@${account.localpart}:${parts.serverName}`;
  switch (action) {
    case "profile":
      return showProfile(parts, visited);
    case "devices_list":
      return showSessions(parts, visited);
    case "device_view":
      return session === undefined
        ? showSessions(parts, visited)
        : await showSession(parts, visited, session);
    case "device_delete":
      if (session === undefined) return showSessions(parts, visited);
      return await confirm(parts, visited, {
        title: "End this session",
        warning: html`<p>The device <strong>${session.deviceId}</strong> of ${user} will be logged out. Messages that only it can read are lost.</p>`,
        button: "End session",
        act: () => parts.admin.endSession(session.id),
      });
    case "account_deactivate":
      return await confirm(parts, visited, {
        title: "Deactivate this account",
        warning: html`<p>${user} will be logged out everywhere and can not log in again.</p>`,
        button: "Deactivate account",
        act: () => parts.admin.deactivate(account.localpart),
      });
    case "cross_signing_reset":
      return await confirm(parts, visited, {
        title: "Allow a new digital identity",
        warning: html`<p>A client asks to replace the keys by which others know ${user}. For ten minutes any client of this account may do so. Agree only if you have just started this yourself.</p>`,
        button: "Allow",
        act: () => parts.admin.allowCrossSigningReset(account.localpart),
      });
  }
}

function showProfile({ serverName }: AccountParts, { context, account }: Visit): void {
  answerPage(context, {
    name: "account",
    title: `@${account.localpart}:${serverName}`,
    body: html`<ul>
<li><a href="?action=org.matrix.devices_list">Sessions</a></li>
<li><a href="?action=org.matrix.cross_signing_reset">Allow a new digital identity</a></li>
<li><a href="?action=org.matrix.account_deactivate">Deactivate this account</a></li>
</ul>`,
  });
}

function showSessions({ sessions }: AccountParts, { context, account }: Visit): void {
  const items = sessions
    .live(account.localpart)
    .flatMap(({ deviceId }) => (deviceId === undefined ? [] : [deviceId]))
    .map((deviceId) => {
      const query = new URLSearchParams({ action: "org.matrix.device_view", device_id: deviceId });
      return html`<li><a href="?${query.toString()}">${deviceId}</a></li>`;
    });
  answerPage(context, {
    name: "account",
    title: `Sessions of ${account.localpart}`,
    body: items.length === 0 ? html`<p>There are none.</p>` : html`<ul>${items}</ul>`,
  });
}

async function showSession(
  { provider }: AccountParts,
  { context }: Visit,
  { deviceId = "", clientId, createdAt }: AuthSessionRow,
): Promise<void> {
  const client = clientId === undefined ? undefined : await provider.Client.find(clientId);
  const query = new URLSearchParams({ action: "org.matrix.device_delete", device_id: deviceId });
  answerPage(context, {
    name: "account",
    title: `Session ${deviceId}`,
    body: html`${client === undefined ? undefined : about(client.metadata())}
<p>Since ${new Date(createdAt * 1000).toISOString()}</p>
<p><a href="?${query.toString()}">End this session</a></p>`,
  });
}

interface Confirmation {
  readonly title: string;
  readonly warning: Markup;
  readonly button: string;
  readonly act: () => Promise<void>;
}

/** Nothing is done by a link alone: the user is told first, and shows the password once more. */
async function confirm(
  { accounts, formCookie }: AccountParts,
  { context, account }: Visit,
  { title, warning, button, act }: Confirmation,
): Promise<void> {
  let problem: string | undefined;
  if (context.method === "POST") {
    const form = await readForm(context);
    if (!formCookie.isRight(context, form)) {
      problem = "This form was not sent by its page. Try again.";
    } else if (accounts.withPassword(account.localpart, form.get("password") ?? "") === undefined) {
      problem = "Wrong password.";
    } else {
      await act();
      answerPage(context, { name: "done", title, body: html`<p>Done.</p>` });
      return;
    }
  }
  answerPage(context, {
    name: "account-confirm",
    title,
    status: problem === undefined ? 200 : 403,
    body: html`${alert(problem)}${warning}
<form method="post">${formCookie.field(context)}
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit" name="action" value="consent">${button}</button></form>`,
  });
}
