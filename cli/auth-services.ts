/** Which auth service the command line gives to each homeserver. */
import { parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { Settings } from "#harness/config/settings";
import type { AuthDriver } from "#harness/deployment/auth-contract";
import type { Driver } from "#harness/deployment/contract";
import { driverOf } from "#harness/deployment/services";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { AUTH_DRIVERS, DRIVERS } from "./drivers.ts";

const EXAMPLES = {
  process: "process:mas=./mas-cli",
  docker: "docker:ghcr.io/element-hq/matrix-authentication-service:1.22.0",
  url: "url:https://auth.example.org",
};

type Specs = ReadonlyMap<string, ServerSpec>;

/** What requirements need that are about auth services; a few of that suite are about servers without one. */
const NEED = "next-gen-auth";

/**
 * Specs of auth services, by the roles of their homeservers; undefined: they have none.
 *
 * @param requirements When most need auth services, and the servers can delegate, they get our own unless told otherwise.
 * @throws HarnessError BAD_USAGE
 */
export function authServicesOf(
  { auth: asked, mas }: Pick<Settings, "auth" | "mas">,
  servers: Specs,
  requirements: readonly Pick<Requirement, "needs">[],
): Specs | undefined {
  const needing = requirements.filter(({ needs }) => needs.includes(NEED));
  const isWanted =
    needing.length > requirements.length / 2 &&
    [...servers.values()].every(
      (spec) => homeserverDriverOf(spec)?.delegatesAuth?.(spec) !== undefined,
    );
  const auth = asked ?? (isWanted && mas === undefined ? "oidc" : "none");
  if (auth !== "none" && mas !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `--auth ${auth} and --mas both name an auth service`,
      next: "keep one of them",
    });
  }
  const given = mas ?? (auth === "none" ? undefined : `process:${auth}`);
  if (given === undefined) return undefined;
  const flag = mas === undefined ? "--auth" : "--mas";
  const spec = parseServerSpec(given, {
    flag,
    drivers: AUTH_DRIVERS.map(({ name }) => name),
    examples: EXAMPLES,
  });
  if (spec.role !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `${flag} ${given}: auth services have no roles of their own`,
      next: "leave out the role: each homeserver gets one",
    });
  }
  authDriverOf(spec).check?.(spec);
  for (const [role, server] of servers) requireDelegation(flag, spec, role, server);
  return new Map([...servers.keys()].map((role) => [role, spec]));
}

function requireDelegation(flag: string, auth: ServerSpec, role: string, spec: ServerSpec): void {
  if (auth.substrate === "url") {
    if (spec.substrate === "url") return;
    throw new HarnessError("BAD_USAGE", {
      what: `${flag} ${auth.text}: an auth service that runs belongs to a homeserver that runs, and ${role} is ${spec.text}`,
      next: "name that homeserver by --hs url:…",
    });
  }
  const asking = homeserverDriverOf(spec)?.delegatesAuth?.(spec);
  if (asking === "bearer") return;
  const takers = AUTH_DRIVERS.filter(({ takesClients }) => takesClients === true);
  if (asking === "client") {
    if (takers.includes(authDriverOf(auth))) return;
    throw new HarnessError("BAD_USAGE", {
      what: `${flag} ${auth.text}: ${role} (${spec.text}) asks about tokens as an OAuth client, which ours alone takes`,
      next: `use ${takers.map(({ name }) => `--auth ${name}`).join(", ")}, or a newer homeserver`,
    });
  }
  const able = DRIVERS.filter(({ delegatesAuth }) => delegatesAuth !== undefined);
  throw new HarnessError("BAD_USAGE", {
    what: `${flag}: ${role} (${spec.text}) can not be given an auth service`,
    facts: [
      "an image and a running server bring a configuration of their own",
      "Synapse is known to leave accounts to an auth service since 1.125",
    ],
    next: `leave out ${flag}, or use ${able.flatMap(({ usage }) => usage).join(", ")}`,
  });
}

function authDriverOf(spec: ServerSpec): AuthDriver {
  return driverOf(AUTH_DRIVERS, spec, "an auth service");
}

function homeserverDriverOf(spec: ServerSpec): Driver | undefined {
  return DRIVERS.find((candidate) => candidate.accepts(spec));
}
