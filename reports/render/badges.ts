/** Badges as shields.io reads them (https://shields.io/badges/endpoint-badge): one for each MSC or area and level. */
import { familyOf } from "#reports/baseline/family";
import { tameLine } from "#reports/finding";
import type { Summary } from "#reports/summarise";
import { fileNameOf } from "./file-name.ts";

export interface BadgeFile {
  /** Within the folder of badges: `<deployment without versions>/<area>-<level>.json`. */
  readonly name: string;
  readonly content: string;
}

type Levels = Summary["levels"];

/** Red begins here: fewer of the exercised MUSTs are met. */
const POOR = 0.8;

/** Names of files stay when versions change, so that a README's address of a badge does too. */
export function badges({ deployments }: Summary): readonly BadgeFile[] {
  const folders = new Map<string, string>();
  const folderOf = (deployment: string) => {
    const family = fileNameOf(familyOf(deployment));
    // Two versions of one server in one report: the later one can not have the same address.
    const isTaken = (folders.get(family) ?? deployment) !== deployment;
    const folder = isTaken ? fileNameOf(deployment) : family;
    folders.set(folder, deployment);
    return folder;
  };
  return deployments.flatMap(({ name, areas }) => {
    const folder = folderOf(name);
    return areas.flatMap(({ area, levels }) =>
      levels.map((level) => ({
        name: `${folder}/${fileNameOf(area)}-${level.level}.json`,
        content: `${JSON.stringify(badge(area, level), null, 2)}\n`,
      })),
    );
  });
}

function badge(area: string, { level, met, exercised, total }: Levels[number]) {
  const open = total - exercised;
  const rest = open === 0 || exercised === 0 ? "" : `, ${open} not exercised`;
  return {
    schemaVersion: 1,
    label: `${tameLine(area)} ${level}`,
    message: exercised === 0 ? "not exercised" : `${met}/${exercised}${rest}`,
    color: colourOf(level, met, exercised),
  };
}

/** A missed SHOULD or MAY is no warning. */
function colourOf(level: Levels[number]["level"], met: number, exercised: number): string {
  if (exercised === 0) return "lightgrey";
  if (level !== "MUST") return "blue";
  if (met === exercised) return "brightgreen";
  return met / exercised < POOR ? "red" : "yellow";
}
