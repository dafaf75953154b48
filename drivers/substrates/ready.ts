import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { Address } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { pauseMs } from "#harness/pause";

export interface ReadyOptions {
  readonly role: string;
  /** What is asked for; the versions of a homeserver unless given. */
  readonly path?: string;
  /** Read anew for each try: a container's port may move. */
  readonly address: () => Address;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Resolves when the server ended before it was ready. */
  readonly exit: Promise<string>;
  /** Has to be true as well, for images that have a health check. */
  readonly isHealthy?: () => Promise<boolean>;
  readonly tail: () => Promise<readonly string[]>;
}

/** Complement's interval, at first; a server that is ready in 0.7 s should not be found so after 1 s. */
const POLL_MS = 20;
const POLL_PART = 1 / 20;

/** Every homeserver has it, and it needs nothing. */
const VERSIONS = "/_matrix/client/versions";

/**
 * Waits until the path answers 200 to a GET.
 *
 * @throws HarnessError HS_DID_NOT_START when it ends or the time is over, with its last log lines.
 */
export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const { role, path = VERSIONS, address, timeoutMs, signal, exit, isHealthy, tail } = options;
  const from = Date.now();
  let ended: string | undefined;
  let last = "no answer yet";
  exit.then((how) => {
    ended = how;
  });
  while (Date.now() - from < timeoutMs) {
    if (signal.aborted) throw new HarnessError("INTERRUPTED", { what: "interrupted" });
    if (ended !== undefined) {
      throw new HarnessError("HS_DID_NOT_START", {
        what: `${role} ended while it was starting: ${ended}`,
        facts: ["last log lines:", ...(await tail())],
        next: "the log names the reason; `crucible doctor` shows the resolved settings",
      });
    }
    try {
      const { host, port } = address();
      const { statusCode, body } = await request(`http://${host}:${port}${path}`, {
        headersTimeout: 2_000,
        bodyTimeout: 2_000,
        signal,
      });
      await body.dump();
      if (statusCode !== 200) last = `status ${statusCode}`;
      else if ((await isHealthy?.()) === false) last = "the image's health check does not pass";
      else return;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(pauseMs(Date.now() - from, POLL_MS, POLL_PART));
  }
  throw new HarnessError("HS_DID_NOT_START", {
    what: `${role} did not answer GET ${path} within ${timeoutMs} ms`,
    facts: [`last try: ${last}`, "last log lines:", ...(await tail())],
    next: "raise the limit with --spawn-timeout-ms, or look at the log",
  });
}
