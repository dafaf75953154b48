/** What the viewer's layout and readers take, on rooms of fixed seeds, each beside its target. */
import { loadRun } from "#tardis/formats/load";
import { collapse } from "#tardis/layout/collapse";
import { density } from "#tardis/layout/density";
import { EdgeIndex } from "#tardis/layout/edge-index";
import { layOutLanes } from "#tardis/layout/lanes";
import { type SyntheticRoom, syntheticRoom } from "#tardis/layout/synthetic-room";
import type { Figure } from "./figure.ts";
import { median } from "./median.ts";
import { roomText } from "./synthetic-room-text.ts";

const SEED = 1;
const ROUNDS = 15;
const READING_ROUNDS = 3;
/** Milliseconds, by events: layout and index; reading, that is file to model. */
const TARGETS = [
  { events: 1_000, layout: 10, reading: 100 },
  { events: 10_000, layout: 30, reading: 1_000 },
  { events: 100_000, layout: 250, reading: 6_000 },
] as const;

export async function benchTardis(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const { events, layout, reading } of TARGETS) {
    for (const servers of [5, 20]) {
      const room = syntheticRoom({ events, servers, seed: SEED });
      const name = `${events} events, ${servers} servers`;
      const peer = (value: number) => ({ name: "target", value });
      figures.push({
        name: `${name}: lanes and index`,
        value: await median(ROUNDS, () => new EdgeIndex(layOutLanes(room.edges).top)),
        unit: "ms",
        peer: peer(layout),
      });
      if (servers === 5)
        figures.push(...(await views(name, room)), await read(name, room, reading));
    }
  }
  return figures;
}

async function views(name: string, { edges, servers }: SyntheticRoom): Promise<readonly Figure[]> {
  const none = new Uint8Array(servers.length);
  return [
    {
      name: `${name}: collapse`,
      value: await median(ROUNDS, () => collapse(edges, none)),
      unit: "ms",
    },
    {
      name: `${name}: density in 800 buckets`,
      value: await median(ROUNDS, () => density(servers, none, { series: 5, buckets: 800 })),
      unit: "ms",
    },
  ];
}

async function read(name: string, room: SyntheticRoom, target: number): Promise<Figure> {
  const text = roomText(room);
  return {
    // Of the processor, since it takes long enough for others to come between.
    name: `${name}: read ${(text.length / 1e6).toFixed(1)} MB`,
    value: await median(
      READING_ROUNDS,
      () => loadRun([{ name: "room.ndjson", text }]),
      processorMs,
    ),
    unit: "ms",
    peer: { name: "target", value: target },
  };
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
