/**
 * How a server is named on the command line:
 *
 *     [role=]process:<driver>[@<version> | =<path>][,option=value…]
 *     [role=]docker:<image>[,option=value…]
 *     [role=]url:<http(s) URL>[,option=value…]
 *     [role=]embedded                                  the same as process:synapse
 */
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

export const SUBSTRATES = ["process", "docker", "url"] as const;
export type Substrate = (typeof SUBSTRATES)[number];

export interface ServerSpec {
  /** `hs1`, …; absent: every server that has no spec of its own. */
  readonly role?: string;
  readonly substrate: Substrate;
  readonly driver?: string;
  readonly version?: string;
  readonly binary?: string;
  readonly image?: string;
  readonly url?: string;
  readonly options: ReadonlyMap<string, string>;
  /** As given, without the role and with secrets redacted: for messages and results. */
  readonly text: string;
}

const SECRET_OPTION = /secret|token|password/i;

/** @throws HarnessError BAD_USAGE */
export function parseServerSpec(given: string, knownDrivers: readonly string[] = ["synapse"]): ServerSpec {
  const [, role, rest = ""] = /^(?:([a-z]+\d+)=)?(.*)$/s.exec(given.trim()) ?? [];
  const text = rest === "embedded" || rest.startsWith("embedded,") ? rest.replace("embedded", "process:synapse") : rest;
  const [, substrate = text, body = ""] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  if (!isSubstrate(substrate)) {
    throw bad(given, `there is no substrate ${substrate === "" ? "without a name" : substrate}`, didYouMean(substrate, [...SUBSTRATES, "embedded"]));
  }
  const [subject = "", ...pairs] = body.split(",");
  if (subject === "") throw bad(given, `nothing is named after ${substrate}:`, exampleOf(substrate));
  const options = new Map(pairs.map((pair) => parseOption(given, pair)));
  const shown = [subject, ...[...options].map(([name, value]) => `${name}=${SECRET_OPTION.test(name) ? "<redacted>" : value}`)];
  return {
    ...(role === undefined ? {} : { role }),
    substrate,
    ...parseSubject(given, substrate, subject, knownDrivers),
    options,
    text: `${substrate}:${shown.join(",")}`,
  };
}

function parseSubject(given: string, substrate: Substrate, subject: string, knownDrivers: readonly string[]) {
  if (substrate === "docker") return { image: subject };
  if (substrate === "url") {
    if (URL.canParse(subject) && /^https?:/.test(subject)) return { url: subject };
    throw bad(given, `${subject} is no http(s) URL`, exampleOf(substrate));
  }
  const [, driver = subject, separator, argument = ""] = /^([^@=]*)([@=])(.*)$/s.exec(subject) ?? [];
  if (!knownDrivers.includes(driver)) {
    throw bad(given, `there is no driver ${driver} for processes`, didYouMean(driver, knownDrivers));
  }
  if (separator === undefined) return { driver };
  if (argument === "") throw bad(given, `nothing follows ${driver}${separator}`, exampleOf(substrate));
  return separator === "@" ? { driver, version: argument } : { driver, binary: argument };
}

function parseOption(given: string, pair: string): [string, string] {
  const at = pair.indexOf("=");
  if (at > 0) return [pair.slice(0, at).trim(), pair.slice(at + 1)];
  const shown = SECRET_OPTION.test(pair) ? "an option" : `the option ${pair}`;
  throw bad(given, `${shown} has no value`, "options are written ,name=value");
}

function exampleOf(substrate: Substrate): string {
  return {
    process: "for example process:synapse@1.163.2",
    docker: "for example docker:ghcr.io/element-hq/synapse:latest",
    url: "for example url:https://hs.example.org",
  }[substrate];
}

function bad(given: string, what: string, next: string): HarnessError {
  const shown = given.replace(/((?:secret|token|password)[^=,]*=)[^,]*/gi, "$1<redacted>");
  return new HarnessError("BAD_USAGE", { what: `--hs ${shown}: ${what}`, next });
}

function isSubstrate(word: string): word is Substrate {
  return (SUBSTRATES as readonly string[]).includes(word);
}

/**
 * The spec of each role of a topology. A spec without a role is the default of all; a role without any gets
 * `process:synapse`.
 *
 * @throws HarnessError BAD_USAGE for two defaults, a role given twice, or a role that the topology does not have.
 */
export function assignServers(
  specs: readonly ServerSpec[],
  roles: readonly string[],
): ReadonlyMap<string, ServerSpec> {
  const byRole = new Map<string | undefined, ServerSpec>();
  for (const spec of specs) {
    if (byRole.has(spec.role)) {
      throw new HarnessError("BAD_USAGE", {
        what: `--hs is given twice for ${spec.role ?? "all servers"}`,
        next: "write --hs hs1=… --hs hs2=… for different servers",
      });
    }
    byRole.set(spec.role, spec);
  }
  const fallback = byRole.get(undefined) ?? parseServerSpec("process:synapse");
  return new Map(roles.map((role) => [role, byRole.get(role) ?? fallback]));
}
