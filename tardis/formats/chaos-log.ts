/** Format F: the console of Element's Chaos. It has no events: faults and steps, to be merged with files that have some. */
import type { JsonObject } from "#protocol/events/event";
import type { Place } from "#tardis/model/problem";
import { convergenceStep } from "./chaos-stream.ts";
import { Drafts, type Input, type Part } from "./part.ts";

const LINE = /^(?:(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) )?.*?> (.*)$/;
/** Colours of terminals. */
const COLOUR = /\u001b\[[\d;]*m/g;
const SAYS =
  /> (?:Tick \d+: |=+ NETSPLIT|BLOCKED: |Restart(?:ing|ed) server|Convergence\[|WorkerAction: )/;

export function isChaosLog(text: string): boolean {
  return SAYS.test(text);
}

export function readChaosLog({ name, text, problems }: Input): Part {
  return {
    format: "chaos-log",
    isOrdered: true,
    versions: new Map(),
    creates: [],
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const [index, line] of text.replaceAll(COLOUR, "").split("\n").entries()) {
        const [, year, month, day, hour, minute, second, said] = LINE.exec(line.trimEnd()) ?? [];
        if (said === undefined) continue;
        const place: Place = { file: name, line: index + 1 };
        // It is written without a zone, and read as UTC.
        const at =
          year === undefined
            ? undefined
            : Date.UTC(
                +year,
                Number(month) - 1,
                Number(day),
                Number(hour),
                Number(minute),
                Number(second),
              );
        told.add(place, at, recordOf(said, index + 1));
      }
      return told;
    },
  };
}

function recordOf(said: string, line: number): JsonObject {
  if (/=+ NETSPLIT RESOLVED/.test(said)) return { t: "fault", kind: "heal" };
  if (/=+ NETSPLIT/.test(said)) return { t: "fault", kind: "netsplit" };
  const [, restart, server] = /^(Restarting|Restarted) server '(.*)'/.exec(said) ?? [];
  if (server !== undefined) {
    return { t: "fault", kind: restart === "Restarted" ? "start" : "stop", servers: [server] };
  }
  const [, blocked, method, url] = /^(BLOCKED: )?([A-Z]+) (\S+:\/\/\S+)/.exec(said) ?? [];
  if (method !== undefined && url !== undefined && URL.canParse(url)) {
    const { host, pathname } = new URL(url);
    return {
      t: "http",
      id: `line ${line}`,
      from: "unknown",
      to: host,
      method,
      path: pathname,
      ms: 0,
      ...(blocked === undefined ? {} : { blocked: true }),
      events: [],
    };
  }
  const [, state, error = ""] = /^Convergence\[(\w+)\](?: err=(.*))?/.exec(said) ?? [];
  if (state !== undefined) return convergenceStep(state, error);
  const [, action] = /^WorkerAction: (.*)/.exec(said) ?? [];
  if (action !== undefined) return { t: "step", name: action, ok: null };
  return { t: "note", text: said };
}
