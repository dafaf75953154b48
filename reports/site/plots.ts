/** What runs measured, as the site draws it. */
import { z } from "zod";
import { type CallFigure, mergedFigures } from "#harness/results/call-figures";
import { type Measurement, median } from "#harness/results/measurement";
import { tameLine } from "#reports/finding";
import { series } from "#reports/render/performance";
import type { SiteCall, SitePlot, SiteRecovery } from "./data.ts";

/** `perf.json` of a run directory. */
export const performanceSchema = z.object({
  deployment: z.string(),
  measurements: z.array(
    z.object({
      name: z.string(),
      subject: z.string(),
      rooms: z.number(),
      unit: z.enum(["ms", "bytes", "requests"]),
      values: z.array(z.number()).min(1),
    }),
  ),
});

const recovery = z.object({
  count: z.number(),
  medianMs: z.number().nullable(),
  never: z.number(),
});

/** What the site needs of `chaos.json`. */
export const chaosSchema = z.object({
  deployment: z.string(),
  nudged: recovery,
  silent: recovery,
});

type Performance = z.infer<typeof performanceSchema>;

/** A panel a figure, a line for each deployment and subject: medians by rooms of the account. */
export function performancePlots(measured: readonly Performance[]): readonly SitePlot[] {
  const isOfSeveral = new Set(measured.map(({ deployment }) => deployment)).size > 1;
  const lines = measured.flatMap(({ deployment, measurements }) =>
    series(measurements).flatMap((own) => {
      const [first] = own;
      if (first === undefined) return [];
      const name = isOfSeveral ? `${first.subject}, ${deployment}` : first.subject;
      return [{ first, name: tameLine(name), points: pointsOf(own) }];
    }),
  );
  const panels = Map.groupBy(lines, ({ first }) => `${first.name}|${first.unit}`);
  return [...panels.values()].flatMap((own) => {
    const [one] = own;
    if (one === undefined) return [];
    return [
      {
        title: tameLine(one.first.name),
        unit: one.first.unit,
        x: "rooms of the account",
        lines: own.map(({ name, points }) => ({ name, points })),
      },
    ];
  });
}

function pointsOf(measurements: readonly Measurement[]): readonly (readonly [number, number])[] {
  return [...Map.groupBy(measurements, ({ rooms }) => rooms)]
    .map(([rooms, own]) => [rooms, median(own.flatMap(({ values }) => values))] as const)
    .sort(([a], [b]) => a - b);
}

export function recoveries(runs: readonly z.infer<typeof chaosSchema>[]): readonly SiteRecovery[] {
  return runs.flatMap(({ deployment, nudged, silent }) =>
    Object.entries({ nudged, silent })
      .filter(([, { count }]) => count > 0)
      .map(([mode, found]) => ({ deployment: tameLine(deployment), mode, ...found })),
  );
}

/** Those of one deployment together, in whichever runs they are. */
export function calls(
  runs: readonly { readonly deployment: string; readonly figures: readonly CallFigure[] }[],
): readonly SiteCall[] {
  const deployments = Map.groupBy(runs, ({ deployment }) => deployment);
  return [...deployments].flatMap(([deployment, own]) =>
    mergedFigures(own.flatMap(({ figures }) => figures))
      .filter(({ values }) => values.length > 0)
      .map(({ name, subject, values }) => ({
        deployment: tameLine(deployment),
        name,
        subject: tameLine(subject),
        count: values.length,
        medianMs: Math.round(median(values)),
        slowestMs: Math.round(Math.max(...values)),
      })),
  );
}
