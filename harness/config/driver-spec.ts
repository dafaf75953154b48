/**
 * How a server is named on the command line, and an auth service by a spec of the same form:
 *
 *     [role=]process:<driver>[@<version> | =<path>][,option=value…]
 *     [role=]docker:<image>[,option=value…]
 *     [role=]kubernetes:<image>[,option=value…]        homeservers only
 *     [role=]url:<http(s) URL>[,option=value…]
 *     [role=]embedded                                  the same as process:synapse
 *
 * The comma ends the subject: an image reference or a path that holds one can not be written.
 */
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

type Substrate = "process" | "docker" | "kubernetes" | "url";

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

/** What is named: a homeserver, unless told otherwise. */
export interface SpecKind {
  readonly flag: string;
  /** Words after `process:`. */
  readonly drivers: readonly string[];
  /** Of the substrates on which it can be. */
  readonly examples: Readonly<Partial<Record<Substrate, string>>>;
  /** Of URLs, with and without TLS; http unless given. */
  readonly scheme?: "http" | "ws";
}

const HOMESERVER: SpecKind = {
  flag: "--hs",
  drivers: ["synapse"],
  examples: {
    process: "process:synapse@1.163.2",
    docker: "docker:ghcr.io/element-hq/synapse:latest",
    kubernetes: "kubernetes:registry.example.org/complement-synapse:1.163.2",
    url: "url:https://hs.example.org",
  },
};

const SECRET_OPTION = /secret|token|password/i;

/** @throws HarnessError BAD_USAGE */
export function parseServerSpec(given: string, kind: SpecKind = HOMESERVER): ServerSpec {
  const [, role, rest = ""] = /^(?:([a-z][a-z0-9]*)=)?(.*)$/is.exec(given.trim()) ?? [];
  const text = rest.replace(/^embedded(?=,|$)/, "process:synapse");
  const [, substrate = text, body = ""] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  const bad: Refuse = (what, next) =>
    new HarnessError("BAD_USAGE", { what: `${kind.flag} ${redact(given)}: ${what}`, next });
  if (!isSubstrate(substrate, kind)) throw unknownSubstrate(bad, substrate, kind);
  const [subject = "", ...pairs] = body.split(",");
  if (subject === "") {
    throw bad(`nothing is named after ${substrate}:`, exampleOf(substrate, kind));
  }
  return {
    ...(role === undefined ? {} : { role: role.toLowerCase() }),
    substrate,
    ...parseSubject(bad, substrate, subject, kind),
    options: parseOptions(bad, pairs),
    text: redact(text),
  };
}

/**
 * A spec, or text that holds some, without its secrets: values of options whose name contains secret, token or
 * password, and credentials in URLs.
 */
export function redact(spec: ServerSpec | string): string {
  if (typeof spec !== "string") return spec.text;
  return (
    spec
      // What follows a secret without a name of its own is taken for the rest of a secret that holds a comma.
      .replace(
        /(,[^=,]*(?:secret|token|password)[^=,]*=)[^,]*(?:,[^=,]*(?=,|$))*/gi,
        "$1<redacted>",
      )
      .replace(/(:\/\/)[^/@,]*@/g, "$1<redacted>@")
  );
}

type Refuse = (what: string, next: string) => HarnessError;

function parseSubject(
  bad: Refuse,
  substrate: Substrate,
  subject: string,
  kind: SpecKind,
): Pick<ServerSpec, "driver" | "version" | "binary" | "image" | "url"> {
  if (substrate === "docker" || substrate === "kubernetes") return { image: subject };
  if (substrate === "url") {
    const { scheme = "http" } = kind;
    if (URL.canParse(subject) && new RegExp(`^${scheme}s?:`).test(subject)) return { url: subject };
    throw bad(`${redact(subject)} is no ${scheme}(s) URL`, exampleOf(substrate, kind));
  }
  const [, driver = subject, separator, argument = ""] =
    /^([^@=]*)([@=])(.*)$/s.exec(subject) ?? [];
  if (!kind.drivers.includes(driver)) {
    throw bad(`there is no driver ${driver} for processes`, didYouMean(driver, kind.drivers));
  }
  if (separator === undefined) return { driver };
  if (argument === "")
    throw bad(`nothing follows ${driver}${separator}`, exampleOf(substrate, kind));
  return separator === "@" ? { driver, version: argument } : { driver, binary: argument };
}

function parseOptions(bad: Refuse, pairs: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      // It may be the rest of a secret that holds a comma, so it is only shown when no secret came before.
      const isShown = pair !== "" && !SECRET_OPTION.test([...options.keys(), pair].join());
      const what = isShown
        ? `the option ${pair} has no value`
        : "an option has no name or no value";
      throw bad(what, "options are written ,name=value and values can not hold commas");
    }
    const name = pair.slice(0, at).trim();
    if (options.has(name)) throw bad(`the option ${name} is given twice`, "keep one of them");
    options.set(name, pair.slice(at + 1));
  }
  return options;
}

function unknownSubstrate(bad: Refuse, substrate: string, { examples }: SpecKind): HarnessError {
  const what =
    substrate === "" ? "it names no server" : `there is no substrate ${redact(substrate)}`;
  return bad(what, didYouMean(substrate, [...Object.keys(examples), "embedded"]));
}

function exampleOf(substrate: Substrate, { examples }: SpecKind): string {
  return `for example ${examples[substrate] ?? Object.values(examples)[0]}`;
}

function isSubstrate(word: string, { examples }: SpecKind): word is Substrate {
  return Object.hasOwn(examples, word);
}

/**
 * The spec of each role of a topology. A spec without a role is the default of all; a role without any gets
 * `process:synapse`.
 *
 * @param known Roles that a spec may name, when it is to be checked. It may hold more than `roles`: a run that needs
 *   only one server still accepts a spec for the second.
 * @throws HarnessError BAD_USAGE for two defaults, a role given twice, or a role that is not known.
 */
export function assignServers(
  specs: readonly ServerSpec[],
  roles: readonly string[],
  known?: readonly string[],
): ReadonlyMap<string, ServerSpec> {
  const byRole = new Map<string | undefined, ServerSpec>();
  for (const spec of specs) {
    if (spec.role !== undefined && known?.includes(spec.role) === false) {
      throw new HarnessError("BAD_USAGE", {
        what: `--hs ${spec.role}=${spec.text}: there is no server ${spec.role}`,
        next: didYouMean(spec.role, known),
      });
    }
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
