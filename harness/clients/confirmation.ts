/**
 * What a server asks its user for once more before it does something grave: the password, or, where an auth service has
 * the accounts, a yes on its pages (MSC4312), which is given here by the service's admin side.
 */
import type { ManagesAccounts } from "#harness/deployment/auth-contract";
import { HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at, type JsonObject, listAt, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

/** The stage that stands for the pages of an auth service, and its name before MSC4312 was accepted. */
const APPROVALS = ["m.oauth", "org.matrix.cross_signing_reset"];

/** What the `auth` of the same request has to be after the server's 401. Approves, where that is what is asked for. */
export async function confirm(
  session: Session,
  opened: Pick<HttpResponse, "json">,
): Promise<JsonObject> {
  const stages = listAt(opened.json, "flows").flatMap((flow) => listAt(flow, "stages"));
  if (!stages.some((stage) => APPROVALS.includes(String(stage)))) {
    return passwordFor(session, opened);
  }
  await accountsOf(session).allowCrossSigningReset(session.localpart);
  return { session: textAt(opened.json, "session") };
}

/** Lets the user's identity be replaced, where a yes on pages is needed and nobody later on can give it. */
export async function approveReset({ context, server, localpart }: Session): Promise<void> {
  await context.accountsOf?.(server)?.allowCrossSigningReset(localpart);
}

/** Takes one of the user's devices away: by itself, with the password where it is asked for, or by its auth service. */
export async function removeDevice(session: Session, deviceId: string): Promise<void> {
  const target = path`/_matrix/client/v3/devices/${deviceId}`;
  const first = await session.delete(target, {});
  if (first.status === 401) {
    ok(await session.delete(target, { auth: passwordFor(session, first) }));
    return;
  }
  const isElsewhere = first.status === 404 && at(first.json, "errcode") === "M_UNRECOGNIZED";
  if (!isElsewhere || session.server.auth === undefined) {
    ok(first);
    return;
  }
  const accounts = accountsOf(session);
  const sessions = await accounts.sessions(session.localpart);
  const ending = sessions.filter((one) => one.deviceId === deviceId);
  if (ending.length === 0) {
    throw new HarnessError("INTERNAL", {
      what: `the auth service of ${session.server.role} has no session with that device`,
    });
  }
  await Promise.all(ending.map(({ id }) => accounts.endSession(id)));
}

function accountsOf({ context, server }: Session): ManagesAccounts {
  const accounts = context.accountsOf?.(server);
  if (accounts !== undefined) return accounts;
  throw new HarnessError("INTERNAL", {
    what: `nobody here can act on the accounts of ${server.role}`,
    next: "approve before, where the client runs in a process of its own",
  });
}

/** The password stage for the session that a server has opened with its 401. */
function passwordFor(
  { userId, password }: Session,
  opened: Pick<HttpResponse, "json">,
): JsonObject {
  return {
    type: "m.login.password",
    session: textAt(opened.json, "session"),
    identifier: { type: "m.id.user", user: userId },
    password,
  };
}
