/** A run as the page first shows it: its rows, their places, and what happened around them. */
import { shown } from "#tardis/explain/shown";
import { recordedServers } from "#tardis/model/knowledge";
import { problemText } from "#tardis/model/problem";
import type { Run } from "#tardis/model/run";
import { annotationsOf } from "./annotations.ts";
import { failingMoment } from "./failing-moment.ts";
import { faultSpans, faultText } from "./fault-spans.ts";
import { wholeLayout } from "./layout-view.ts";
import type { FaultView, LoadedView } from "./messages.ts";
import { rowOfRecord } from "./moments.ts";
import { noticeOf } from "./notice.ts";
import { columnsOf } from "./row-columns.ts";

const MOST_PROBLEMS = 200;

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
  return faultSpans(run)
    .map(({ fault, until }) => ({
      text: faultText(fault),
      from: rowOfRecord(run, fault.seq),
      to: until === undefined ? run.pdus.length - 1 : rowOfRecord(run, until),
      isLink: fault.links.length > 0,
    }))
    .sort((a, b) => a.from - b.from);
}

function titleOf({ meta, pdus }: Run, title: string | undefined): string {
  if (title !== undefined) return title;
  for (const value of [meta.test, meta.run]) if (typeof value === "string") return shown(value);
  const [first] = pdus;
  return first === undefined ? "no events" : shown(first.place.file.replace(/^.*[/\\]/, ""));
}
