/** What a scenario of fifteen events takes: as a link, and to be resolved with its reasons. */
import { readFileSync } from "node:fs";
import path from "node:path";
import JSON5 from "json5";
import { ROOT } from "#cli/run/session";
import { HarnessError } from "#harness/errors";
import { loadRun } from "#tardis/formats/load";
import { linkView } from "#tardis/view/link-view";
import { Session } from "#tardis/view/session";
import type { Figure } from "./figure.ts";
import { median } from "./median.ts";

const EXAMPLE = "tardis/examples/reset-class-c-version-12.json5";
const EVENTS = 15;
const ROUNDS = 15;

interface Scenario {
  readonly events: { readonly event_id: string; readonly sender: string }[];
}

/** The longest example, with talk after it until it has as many events. */
export async function benchTardisScenario(): Promise<readonly Figure[]> {
  const scenario = JSON5.parse<Scenario>(readFileSync(path.join(ROOT, EXAMPLE), "utf8"));
  const { events } = scenario;
  const at = events.length - 1;
  for (let last = events[at]; last !== undefined && events.length < EVENTS; last = events.at(-1)) {
    const body = `message ${events.length}`;
    const more = { event_id: `$M${events.length}`, prev_events: [last.event_id] };
    events.push({ ...last, ...more, content: { msgtype: "m.text", body } } as typeof last);
  }
  const text = JSON.stringify(scenario);
  const run = await loadRun([{ name: "scenario.json", text }]);
  if (run.pdus.length !== EVENTS || run.problems.length > 0) {
    throw new HarnessError("INTERNAL", {
      what: `the scenario to measure has ${run.pdus.length} events and ${run.problems.length} problems`,
      next: `look at ${EXAMPLE}`,
    });
  }
  const { link = "" } = await linkView(run);
  const name = `scenario of ${EVENTS} events`;
  return [
    {
      name: `${name}: link`,
      value: link.length,
      unit: "1",
      peer: { name: "target", value: 2_000 },
    },
    {
      name: `${name}: link, beside one of TARDIS to it`,
      value: link.length,
      unit: "1",
      peer: {
        name: "TARDIS, base64 of the same",
        value: 1 + Buffer.from(text).toString("base64").length,
      },
    },
    {
      name: `${name}: replayed, and a merge explained`,
      value: await median(ROUNDS, () => {
        const session = Session.of(run);
        const where = { row: at, server: undefined, base: undefined };
        return session.explain({ ...where, key: session.state(where).key ?? "" });
      }),
      unit: "ms",
      peer: { name: "target", value: 50 },
    },
  ];
}
