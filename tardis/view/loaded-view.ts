/** A run as the page first shows it: its rows, their places, and what happened around them. */
import { shown } from "#tardis/explain/shown";
import { recordedServers } from "#tardis/model/knowledge";
import { problemText } from "#tardis/model/problem";
import type { Fault, Run } from "#tardis/model/run";
import { annotationsOf } from "./annotations.ts";
import { failingMoment } from "./failing-moment.ts";
import { wholeLayout } from "./layout-view.ts";
import type { FaultView, LoadedView } from "./messages.ts";
import { rowOfRecord } from "./moments.ts";
import { noticeOf } from "./notice.ts";
import { columnsOf } from "./row-columns.ts";

const MOST_PROBLEMS = 200;
/** Kinds that end others. */
const ENDS: ReadonlySet<string> = new Set(["heal", "start", "resume"]);

export function loadedView(run: Run): LoadedView {
  const { pdus, rooms } = run;
  const servers = run.servers.map(({ name }) => name);
  const numbers = new Map(servers.map((name, number) => [name, number]));
  const numberOf = (name: string) => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, servers.length);
    servers.push(name);
    return servers.length - 1;
  };
  const annotations = annotationsOf(run);
  const rows = columnsOf(run, annotations, numberOf);
  const steps = run.steps.map(({ seq, at, name, isOk, message }) => ({
    row: Math.floor(rowOfRecord(run, seq)),
    time: at,
    text: shown(name) + (message === undefined ? "" : `: ${shown(message)}`),
    isOk,
  }));
  return {
    title: titleOf(run, annotations.title),
    rooms: rooms.map(({ id, version }) => ({ id: shown(id), version: version.id })),
    servers: servers.map(shown),
    recorded: recordedServers(run),
    rows,
    edges: run.graph.edges.prev,
    cited: run.graph.edges.auth,
    stateFollowed: run.graph.edges.prev_state,
    layout: wholeLayout(run),
    faults: faultsOf(run),
    steps,
    problems: run.problems.slice(0, MOST_PROBLEMS).map((problem) => shown(problemText(problem))),
    gaps: run.gaps.length,
    start: failingMoment(run) ?? {
      row: Math.max(0, pdus.length - 1),
      view: "why",
      key: undefined,
      server: undefined,
    },
    notice: noticeOf(run),
  };
}

function faultsOf(run: Run): readonly FaultView[] {
  const open: { readonly fault: Fault; readonly from: number }[] = [];
  const bands: FaultView[] = [];
  const close = (at: number, isEnded: (fault: Fault) => boolean) => {
    for (const one of open.filter(({ fault }) => isEnded(fault))) {
      bands.push(bandOf(one.fault, one.from, at));
      open.splice(open.indexOf(one), 1);
    }
  };
  for (const fault of run.faults) {
    const at = rowOfRecord(run, fault.seq);
    if (!ENDS.has(fault.kind)) open.push({ fault, from: at });
    else if (fault.id !== undefined) close(at, ({ id }) => id === fault.id);
    else close(at, (earlier) => isUndoneBy(earlier, fault));
  }
  close(run.pdus.length - 1, () => true);
  return bands.sort((a, b) => a.from - b.from);
}

/** Without ids: a heal ends what links have, a start what servers have; naming none, it ends all of them. */
function isUndoneBy(earlier: Fault, end: Fault): boolean {
  if (end.kind === "heal" && earlier.servers.length > 0 && earlier.links.length === 0) return false;
  if (end.kind !== "heal" && earlier.links.length > 0) return false;
  const named = [...end.servers, ...end.links.flat()];
  if (named.length === 0) return true;
  return [...earlier.servers, ...earlier.links.flat()].some((name) => named.includes(name));
}

function bandOf({ kind, name, links, servers }: Fault, from: number, to: number): FaultView {
  const pairs = new Map<string, string>();
  for (const [one, other] of links) {
    const back = `${other}|${one}`;
    if (pairs.has(back)) pairs.set(back, `${shown(other)} ⇹ ${shown(one)}`);
    else pairs.set(`${one}|${other}`, `${shown(one)} ⇸ ${shown(other)}`);
  }
  const who = [...pairs.values(), ...servers.map(shown)].join(", ");
  const text = [name === undefined ? shown(kind) : shown(name), who].filter((part) => part !== "");
  return { text: text.join(" "), from, to, isLink: links.length > 0 };
}

function titleOf({ meta, pdus }: Run, title: string | undefined): string {
  if (title !== undefined) return title;
  for (const value of [meta.test, meta.run]) if (typeof value === "string") return shown(value);
  const [first] = pdus;
  return first === undefined ? "no events" : shown(first.place.file.replace(/^.*[/\\]/, ""));
}
