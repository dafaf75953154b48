/** What each server had: when events came to it, what kept them from it, and what others had that it had not. */
import type { Term } from "#tardis/explain/glossary";
import { letterOf } from "#tardis/render/display-list";
import type { LoadedView } from "#tardis/view/messages";
import { textAt } from "#tardis/view/row-columns";
import type {
  DeliveryView,
  HopView,
  ParcelView,
  ServersView,
  StopView,
} from "#tardis/view/servers-messages";
import { durationText, timeText } from "#tardis/view/time-text";
import { bdi, button, h } from "./dom.ts";
import { serversPicture } from "./servers-picture.ts";
import { told } from "./terms.ts";

type Go = (row: number) => void;

/** Of the events about the cursor, at its moment. */
export function serversPane(
  view: ServersView,
  loaded: LoadedView,
  row: number,
  go: Go,
): readonly Node[] {
  const title = h("h2", {}, h("span", {}, "servers"));
  const { servers } = view;
  if (servers.length === 0) {
    return [title, h("p", { class: "hint" }, "the file does not say what arrived where")];
  }
  // The record that comes after the moment.
  const until = loaded.rows.seq[row + 1] ?? Number.POSITIVE_INFINITY;
  return [
    title,
    serversPicture(view, loaded, until),
    ...(view.deliveries.some(({ stops }) => stops.length > 0)
      ? [h("p", { class: "hint" }, "×: stopped on its way, or never came; the table says by what")]
      : []),
    ...(view.parcels.length > 0
      ? [h("p", { class: "hint" }, "k: a room key on its way below its event, × where it was lost")]
      : []),
    arrivals(view, loaded, { row, until }, go),
    ...knowledge(view, loaded, row, go),
    h("h3", {}, "what one had and another had not"),
    ...lackParts(view, loaded, go),
    h("h3", {}, "how events came"),
    deliveryTable(view.deliveries, loaded, row, go),
    ...(view.parcels.length === 0
      ? []
      : [h("h3", {}, "room keys that did not do"), keyTable(view.parcels, loaded, row, go)]),
  ];
}

/** A column for each server, a row for each event: in which record it came. */
function arrivals(
  { servers, range: [from, to] }: ServersView,
  loaded: LoadedView,
  { row, until }: { readonly row: number; readonly until: number },
  go: Go,
): HTMLElement {
  const head = h("tr", {}, h("th", { scope: "col" }, "event"));
  for (const { name, number } of servers) {
    head.append(h("th", { scope: "col" }, `${letterOf(number)} `, bdi(name)));
  }
  const body = h("tbody");
  for (let at = from; at <= to; at++) {
    const line = h("tr", { class: at === row ? "now" : "" });
    line.append(h("td", {}, `${at + 1} `, link(loaded, at, go)));
    for (const { arrived } of servers) {
      const here = arrived[at] ?? -1;
      const word = here < 0 ? "never" : here >= until ? "later" : `● ${here}`;
      line.append(h("td", { class: here < 0 ? "fail" : here >= until ? "was" : "" }, word));
    }
    body.append(line);
  }
  return h("table", { class: "servers" }, h("thead", {}, head), body);
}

function knowledge(
  { servers }: ServersView,
  loaded: LoadedView,
  row: number,
  go: Go,
): readonly Node[] {
  const known = new Set<Term>();
  return servers.map(({ name, has, missing, extremities }) => {
    const list = h(
      "p",
      {},
      h("b", {}, bdi(name)),
      told(
        `: has ${has}, without ${row + 1 - has}; extremities, which it would follow next: `,
        known,
      ),
    );
    list.append(...links(loaded, extremities, go));
    if (missing.length > 0) {
      list.append("; missing here: ", ...links(loaded, missing.slice(-20), go));
    }
    return list;
  });
}

/** Sentences: each server beside each other one. */
function lackParts(
  { servers, lacks, compared }: ServersView,
  loaded: LoadedView,
  go: Go,
): readonly Node[] {
  const nameOf = (at: number) => h("b", {}, bdi(servers[at]?.name ?? ""));
  const sentences = lacks.map(({ has, lacks: lacking, count, rows }) => {
    const older = count - rows.length;
    return h(
      "li",
      {},
      nameOf(has),
      ` has ${count} that `,
      nameOf(lacking),
      " has not: ",
      ...(older > 0 ? [`${older} older, and `] : []),
      ...links(loaded, rows, go),
    );
  });
  const all =
    compared < 2
      ? "only one server is told of"
      : `by then, ${compared} servers have the same events`;
  return [
    sentences.length === 0 ? h("p", {}, all) : h("ul", { id: "lacks" }, ...sentences),
    ...(compared < servers.length
      ? [h("p", { class: "hint" }, `only the first ${compared} servers are laid side by side`)]
      : []),
  ];
}

function deliveryTable(
  deliveries: readonly DeliveryView[],
  loaded: LoadedView,
  row: number,
  go: Go,
): HTMLElement {
  const titles = ["event", "when", "how"].map((title) => h("th", { scope: "col" }, title));
  const body = h("tbody");
  const known = new Set<Term>();
  for (const delivery of deliveries) {
    const { from, to } = delivery;
    const way = h("p", {}, `${from < 0 ? "?" : letterOf(from)} → ${letterOf(to)}`);
    body.append(
      h(
        "tr",
        { class: delivery.row === row ? "now" : "" },
        h("td", {}, link(loaded, delivery.row, go), way),
        h("td", {}, ...when(delivery)),
        h("td", {}, ...how(delivery, loaded, known)),
      ),
    );
  }
  const claims = deliveries.some(({ isClaimed }) => isClaimed)
    ? [h("caption", {}, "~: as the sender claims, by its own clock")]
    : [];
  return h("table", { id: "deliveries" }, ...claims, h("thead", {}, h("tr", {}, ...titles)), body);
}

/** Messages with keys of events that a device could not read, as they were followed from device to device. */
function keyTable(
  parcels: readonly ParcelView[],
  loaded: LoadedView,
  row: number,
  go: Go,
): HTMLElement {
  const titles = ["event", "key", "way"].map((title) => h("th", { scope: "col" }, title));
  const body = h("tbody");
  for (const parcel of parcels) {
    const { id, from, to, root, hops } = parcel;
    body.append(
      h(
        "tr",
        { class: parcel.row === row ? "now" : "" },
        h("td", {}, link(loaded, parcel.row, go)),
        h(
          "td",
          {},
          h("p", {}, bdi(from), " → ", bdi(to)),
          h("p", { class: "fail" }, bdi(root)),
          h("p", { class: "mono" }, bdi(id)),
        ),
        h("td", {}, ...hops.map((hop) => h("p", {}, ...hopWords(hop)))),
      ),
    );
  }
  return h("table", { id: "parcels" }, h("thead", {}, h("tr", {}, ...titles)), body);
}

function hopWords({ from, to, outcome, exchange }: HopView): readonly (Node | string)[] {
  const word = outcome === "lost" ? "× lost" : outcome;
  return [bdi(from), " → ", bdi(to), `: ${word} (`, bdi(exchange), ")"];
}

function when({ madeAt, isClaimed, sentAt, cameAt, ms }: DeliveryView): readonly Node[] {
  const line = (what: string, text: string, className = "") =>
    h("p", { class: className }, `${what} ${text}`);
  return [
    line("made", `${isClaimed ? "~" : ""}${timeText(madeAt, true)}`),
    ...(sentAt === undefined ? [] : [line("sent", timeText(sentAt, true))]),
    cameAt === undefined ? line("came", "never", "fail") : line("came", timeText(cameAt, true)),
    ...(ms === undefined ? [] : [line("took", durationText(ms))]),
  ];
}

function how(
  { via, seq, isNudge, nudge, stops }: DeliveryView,
  loaded: LoadedView,
  known: Set<Term>,
): readonly (Node | string)[] {
  const words: (Node | string)[] = [];
  if (isNudge) words.push(told("a nudge", known), "; ");
  if (via !== undefined) words.push(told(via, known), `, record ${seq}`);
  if (nudge !== undefined) words.push(told(`, after the nudge of record ${nudge}`, known));
  for (const stop of stops) words.push(h("p", { class: "fail" }, ...stopWords(stop, loaded)));
  return words;
}

function stopWords({ seq, from, by, isSeen }: StopView, loaded: LoadedView) {
  const what = isSeen ? `× stopped in record ${seq}` : "× nothing could pass";
  return [`${what}, from `, bdi(nameIn(loaded, from)), ": ", bdi(by)];
}

function nameIn({ servers }: LoadedView, number: number): string {
  return servers[number] ?? "a server that is not told of";
}

function links(loaded: LoadedView, rows: readonly number[], go: Go): readonly (Node | string)[] {
  return rows.flatMap((at) => [link(loaded, at, go), " "]);
}

function link({ rows }: LoadedView, at: number, go: Go): HTMLElement {
  const text = at < rows.size ? textAt(rows.shorts, at) : "";
  return button(text, () => go(at), { class: "mono id" });
}
