import { describe, HarnessError } from "#harness/errors";
import type { Registered, RunningServer } from "./contract.ts";

/** Making a user takes a server no longer, unless it hangs. */
const TIMEOUT_MS = 30_000;

/**
 * A new account by the server's own way to make them, bounded in time.
 *
 * @throws HarnessError BAD_CONFIG when there is no such way, HS_NO_ANSWER when the server is gone or hangs, and whatever
 *   the driver refuses with.
 */
export async function registerUser(
  { role, capabilities }: RunningServer,
  localpart: string,
  password: string,
  options: { admin?: boolean } = {},
): Promise<Registered> {
  const { registersUsers } = capabilities;
  if (registersUsers === undefined) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${role} has no way to make users`,
      next: "give shared-secret=… or users=… in --hs",
    });
  }
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`none within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  try {
    return await Promise.race([registersUsers.register(localpart, password, options), late]);
  } catch (cause) {
    if (cause instanceof HarnessError) throw cause;
    throw new HarnessError("HS_NO_ANSWER", {
      what: `${role} gave no answer when a user was to be made: ${describe(cause)}`,
      next: "see the server's log",
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}
