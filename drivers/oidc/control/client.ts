/** The driver's end of the admin side. */
import { request } from "undici";
import { describe, HarnessError } from "#harness/errors";
import type { Questions, Trouble } from "./questions.ts";

/** Longer than the service waits for its homeserver. */
const TIMEOUT_MS = 25_000;

export interface ControlAddress {
  readonly role: string;
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export async function ask<Name extends keyof Questions>(
  { role, host, port, secret }: ControlAddress,
  name: Name,
  ...parameters: Parameters<Questions[Name]>
): Promise<Awaited<ReturnType<Questions[Name]>>> {
  let status: number;
  let answer: unknown;
  try {
    const { statusCode, body } = await request(`http://${host}:${port}/`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ name, parameters }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = statusCode;
    answer = await body.json();
  } catch (cause) {
    throw new HarnessError("HS_NO_ANSWER", {
      what: `${role} gave no answer to ${name}: ${describe(cause)}`,
      next: `see the log of ${role}`,
      cause,
    });
  }
  if (status !== 200) {
    throw new HarnessError("HS_NO_ANSWER", {
      what: `${role} did not do ${name}: ${(answer as Trouble).trouble}`,
      next: `see the logs of ${role} and of its homeserver`,
    });
  }
  return answer as Awaited<ReturnType<Questions[Name]>>;
}
