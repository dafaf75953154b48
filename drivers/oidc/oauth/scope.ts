/** What a scope may ask for: the client-server API for exactly one device (specification, Allocated scope tokens). */

const STABLE = "urn:matrix:client:";
/** MSC2967's prefix from before it was merged, which clients still send. */
const UNSTABLE = "urn:matrix:org.matrix.msc2967.client:";
const APIS = [`${STABLE}api:*`, `${UNSTABLE}api:*`];
const DEVICES = [`${STABLE}device:`, `${UNSTABLE}device:`];
/** Synapse's own: its admin API. Only administrators are given it. */
const ADMIN_SCOPE = "urn:synapse:admin:*";
/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
/** Longer ones are refused by homeservers. */
const LONGEST_DEVICE_ID = 255;

export interface MatrixScope {
  readonly tokens: readonly string[];
  readonly deviceId: string;
  readonly wantsAdmin: boolean;
}

/** The scope of a session whose device is told beside it, since legacy device ids may be of any characters. */
export function scopeFor({ isAdmin }: { readonly isAdmin: boolean }): string {
  return [`${STABLE}api:*`, ...(isAdmin ? [ADMIN_SCOPE] : [])].join(" ");
}

/** What the scope asks for, or why it is refused. */
export function readScope(scope: string | undefined): MatrixScope | string {
  const tokens = [...new Set((scope ?? "").split(" ").filter((token) => token !== ""))];
  const deviceIds: string[] = [];
  let isApi = false;
  for (const token of tokens) {
    if (!SCOPE_TOKEN.test(token)) return "scope has characters that are not allowed";
    const prefix = DEVICES.find((known) => token.startsWith(known));
    if (prefix !== undefined) deviceIds.push(token.slice(prefix.length));
    else if (APIS.includes(token)) isApi = true;
    else if (token !== "openid" && token !== ADMIN_SCOPE) return "scope has an unknown token";
  }
  if (!isApi) return "scope does not ask for the client-server API";
  const [deviceId, ...others] = deviceIds;
  if (deviceId === undefined) return "scope names no device";
  if (others.length > 0) return "scope names more than one device";
  if (deviceId.length < 1 || deviceId.length > LONGEST_DEVICE_ID) {
    return `device ids have 1 to ${LONGEST_DEVICE_ID} characters`;
  }
  return { tokens, deviceId, wantsAdmin: tokens.includes(ADMIN_SCOPE) };
}

/** The device that a granted scope names. */
export function deviceOf(scope: string): string | undefined {
  for (const token of scope.split(" ")) {
    const prefix = DEVICES.find((known) => token.startsWith(known));
    if (prefix !== undefined) return token.slice(prefix.length);
  }
  return undefined;
}

/** The same with the names of MSC2967 beside the others: for homeservers from before it was merged. */
export function withUnstableNames(scope: string): string {
  const tokens = scope.split(" ");
  const others = tokens.flatMap((token) =>
    token.startsWith(STABLE) ? [UNSTABLE + token.slice(STABLE.length)] : [],
  );
  return [...new Set([...tokens, ...others])].join(" ");
}
