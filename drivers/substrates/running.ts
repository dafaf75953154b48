/** What already runs, and is named by a URL: whether it answers there, and how the gateway reaches it. */
import { request } from "undici";
import type { Address } from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";

const TIMEOUT_MS = 10_000;

/** Of `http:`, `https:`, `ws:` or `wss:`; the machine vouches for its certificate. */
export function addressOf({ protocol, hostname, port }: URL): Address {
  const isTls = protocol === "https:" || protocol === "wss:";
  return {
    host: hostname,
    port: port === "" ? (isTls ? 443 : 80) : Number(port),
    ...(isTls ? { tlsName: hostname, trust: "machine" } : {}),
  };
}

/** @throws HarnessError HS_DID_NOT_START unless it answers 200 to a GET */
export async function requireAnswer(role: string, target: string): Promise<void> {
  try {
    const { statusCode, body } = await request(target, {
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  } catch (cause) {
    throw new HarnessError("HS_DID_NOT_START", {
      what: `${role} does not answer GET ${target}`,
      facts: [describe(cause)],
      next: "check the URL, and that it runs",
      cause,
    });
  }
}
