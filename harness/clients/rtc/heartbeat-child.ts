/** The process of a client in a call: see `heartbeat.ts`. Tells each restart of its leave as a line of JSON. */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type HttpResponse, path } from "#harness/http/client";
import { textAt } from "#harness/match/json";
import type { Call } from "./delayed-events.ts";

/** What it has to do; the token is told by standard input, which no list of processes shows. */
export interface HeartbeatPlan {
  readonly baseUrl: string;
  readonly accessToken: string;
  readonly check: string;
  readonly join: Call;
  /** Schedules the leave. */
  readonly leave: Call;
  /** Of delayed events that are there. */
  readonly events: string;
  /** Of the leave. */
  readonly delayMs: number;
  readonly intervalMs: number;
}

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit(0));
lines.once("line", async (line) => {
  await stay(JSON.parse(line));
  process.exit(0);
});

async function stay(plan: HeartbeatPlan): Promise<void> {
  const { join, leave, events, delayMs, intervalMs, ...access } = plan;
  const client = createClient(access);
  const put = (call: Call) => client.request("PUT", call.path, call);
  let from = Date.now();
  const scheduled = await put(leave);
  if (!isGood("the leave to be scheduled", scheduled)) return;
  const delayId = textAt(scheduled.json, "delay_id");
  if (!isGood("the membership to be taken", await put(join))) return;
  for (;;) {
    await sleep(intervalMs);
    const askedAt = Date.now();
    const target = events + path`/${delayId}/restart`;
    const response = await client.request("POST", target, { body: {} });
    const answeredAt = Date.now();
    // The leave may have come due before it was asked to wait, which would be no fault of the server.
    const lateMs = answeredAt - from < delayMs ? undefined : answeredAt - from;
    if (!isGood("the leave to be restarted", response, lateMs)) return;
    tell({ askedAt, answeredAt });
    from = askedAt;
  }
}

function isGood(expected: string, response: HttpResponse, lateMs?: number): boolean {
  if (response.status === 200) return true;
  tell({ expected, actual: response.describe(), lateMs });
  return false;
}

function tell(word: object): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}
