/** What may stand after the subject of `--mas process:mas=…,option=value`. */
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

/** The bounds of MAS itself (`experimental.access_token_ttl`), seconds. */
const LIFETIME_S = { least: 60, most: 86_400 };

const KNOWN: Readonly<Record<ServerSpec["substrate"], readonly string[]>> = {
  process: ["share", "token-lifetime"],
  docker: ["token-lifetime"],
  kubernetes: [],
  url: ["admin-client", "admin-secret"],
};

/** @throws HarnessError BAD_USAGE */
export function checkOptions(spec: ServerSpec): void {
  const known = KNOWN[spec.substrate];
  for (const option of spec.options.keys()) {
    if (known.includes(option)) continue;
    throw new HarnessError("BAD_USAGE", {
      what: `--mas ${spec.text}: there is no option ${option}`,
      next: didYouMean(option, known),
    });
  }
  tokenLifetimeOf(spec);
}

/** How long access tokens live, seconds; undefined: as long as MAS lets them by default. */
export function tokenLifetimeOf({ text, options }: ServerSpec): number | undefined {
  const given = options.get("token-lifetime");
  if (given === undefined) return undefined;
  const seconds = Number(given);
  if (Number.isInteger(seconds) && seconds >= LIFETIME_S.least && seconds <= LIFETIME_S.most)
    return seconds;
  throw new HarnessError("BAD_USAGE", {
    what: `--mas ${text}: MAS has no token lifetime of ${given}`,
    next: `give whole seconds from ${LIFETIME_S.least} to ${LIFETIME_S.most}`,
  });
}

/** The admin client of a MAS that already runs. */
export function adminOf({ text, options }: ServerSpec): { clientId: string; clientSecret: string } {
  const clientId = options.get("admin-client") ?? process.env.CRUCIBLE_MAS_ADMIN_CLIENT;
  const clientSecret = options.get("admin-secret") ?? process.env.CRUCIBLE_MAS_ADMIN_SECRET;
  if (clientId !== undefined && clientSecret !== undefined) return { clientId, clientSecret };
  throw new HarnessError("BAD_USAGE", {
    what: `--mas ${text}: no admin client is named`,
    facts: ["accounts are made by its admin API, with client credentials"],
    next: "set CRUCIBLE_MAS_ADMIN_CLIENT and CRUCIBLE_MAS_ADMIN_SECRET (its clients and policy.data.admin_clients)",
  });
}
