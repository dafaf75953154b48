/** Proof keys for code exchange (RFC 7636), S256. */
import { createHash, randomBytes } from "node:crypto";

export interface Pkce {
  readonly verifier: string;
  readonly challenge: string;
}

export function makePkce(verifier: string = randomBytes(32).toString("base64url")): Pkce {
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}
