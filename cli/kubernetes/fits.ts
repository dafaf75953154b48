/** Faults and what becomes of them in a cluster, as rows. */
import { CLOCK_FIT, CLOCKS, type Fit, LINK_FITS, SERVER_FITS } from "#chaos/mesh/fits";

export interface FitRow {
  readonly fault: string;
  readonly of: "links" | "servers" | "clocks";
  readonly fit: Fit["fit"];
  readonly resource: string;
  readonly note: string;
}

export function listFits(): readonly FitRow[] {
  return [
    ...Object.entries(LINK_FITS).map(([fault, fit]) => row(fault, "links", fit)),
    ...Object.entries(SERVER_FITS).map(([fault, fit]) => row(fault, "servers", fit)),
    ...CLOCKS.map((clock) => row(clock, "clocks", CLOCK_FIT)),
  ];
}

function row(fault: string, of: FitRow["of"], { fit, resource = "", note }: Fit): FitRow {
  return { fault, of, fit, resource, note };
}
