import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { compareVersions, isInRange } from "#harness/versions";

const schema = z.object({
  default: z.string(),
  oldest: z.string(),
  pins: z.array(
    z.object({ versions: z.string(), packages: z.array(z.string()), reason: z.string() }),
  ),
});

const DATA = schema.parse(
  parse(readFileSync(path.join(import.meta.dirname, "versions.yaml"), "utf8")),
);

/** Older ones may delegate too, and nobody has tried. */
const FIRST_TO_DELEGATE = "1.125.0";
/** The first that auth services tell of accounts by calls of their own (`/_synapse/mas`); older ones hear by the admin API. */
const FIRST_WITH_MAS_CALLS = "1.135.0";
/** The first that knows `matrix_authentication_service`. */
const FIRST_WITH_MAS_SECTION = "1.136.0";

export type Delegation = "matrix_authentication_service" | "experimental_features.msc3861";

export const DEFAULT_VERSION = DATA.default;

/** Packages to install for a release, itself first. */
export function packagesOf(version: string): string[] {
  const pins = DATA.pins.filter(({ versions }) => isInRange(version, versions));
  return [
    `matrix-synapse==${version}`,
    "psycopg2-binary",
    ...pins.flatMap(({ packages }) => packages),
  ];
}

/** @throws HarnessError BAD_USAGE for what is no release or older than we run. */
export function checkedVersion(version: string = DATA.default): string {
  if (!/^\d+\.\d+\.\d+(rc\d+)?$/.test(version)) {
    throw new HarnessError("BAD_USAGE", {
      what: `${version} is no Synapse version`,
      next: `write it in full, for example process:synapse@${DATA.default}`,
    });
  }
  if (compareVersions(version, DATA.oldest) < 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `Synapse ${version} is older than the oldest one that runs here, ${DATA.oldest}`,
      next: `use ${DATA.oldest} or newer, or a container: --hs docker:<image>`,
    });
  }
  return version;
}

export function hasMasCalls(version: string | undefined): boolean {
  return version === undefined || compareVersions(version, FIRST_WITH_MAS_CALLS) >= 0;
}

/** Whether the release can leave accounts and tokens to an auth service. */
export function canDelegate(version: string | undefined): boolean {
  return version === undefined || compareVersions(version, FIRST_TO_DELEGATE) >= 0;
}

/** By which section of its configuration it does so. A release that is not known is new. */
export function delegationOf(version: string | undefined): Delegation {
  if (version === undefined) return "matrix_authentication_service";
  const isOld = compareVersions(version, FIRST_WITH_MAS_SECTION) < 0;
  return isOld ? "experimental_features.msc3861" : "matrix_authentication_service";
}
