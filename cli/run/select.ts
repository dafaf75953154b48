/** What a command line asks for: requirements, checks, topology, servers. */
import { authServicesOf } from "#cli/auth-services";
import { DRIVERS } from "#cli/drivers";
import { type RtcServices, rtcServicesOf } from "#cli/rtc-services";
import { assignServers, parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { Settings } from "#harness/config/settings";
import { driverOf } from "#harness/deployment/services";
import { HarnessError } from "#harness/errors";
import { type Catalogue, loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { selectRequirements } from "#harness/requirements/select";
import { tagsOf } from "#harness/requirements/tags";
import { didYouMean } from "#harness/suggest";
import { TOPOLOGIES, type Topology } from "#scenarios/topologies/topologies";
import { type CheckPlan, planChecks } from "./plan.ts";
import { requireScript } from "./post-test.ts";
import { quickCut } from "./quick.ts";
import { shardOf } from "./shard.ts";

export interface Selected extends RtcServices {
  readonly catalogue: Catalogue;
  readonly plan: CheckPlan;
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** Their auth services, by their roles; undefined: they have none. */
  readonly auth: ReadonlyMap<string, ServerSpec> | undefined;
}

/** Everything that can be wrong with a command line is found here, before anything starts. */
export async function select(settings: Settings, ids: readonly string[]): Promise<Selected> {
  const [catalogue, index] = await Promise.all([loadCatalogue(), indexChecks()]);
  const chosen = selectRequirements(catalogue, {
    ids: [...ids, ...settings.id],
    suites: settings.suite,
    levels: settings.level,
    ...(settings.tag === undefined ? {} : { tag: settings.tag }),
  });
  const topology = settings.topology === undefined ? undefined : topologyOf(settings.topology);
  const specs = settings.hs.map((text) => parseServerSpec(text));
  const known = new Set(TOPOLOGIES.flatMap((candidate) => candidate.servers));
  for (const { role } of specs) {
    if (role !== undefined && !known.has(role)) {
      throw new HarnessError("BAD_USAGE", {
        what: `no topology has a server ${role}`,
        next: didYouMean(role, known),
      });
    }
  }
  const measured = settings.perf
    ? chosen.filter((requirement) => tagsOf(requirement).has("perf"))
    : chosen;
  const cut = settings.preset === "quick" ? quickCut(measured, index) : measured;
  // All of it, also for a part: parts have to be of one deployment, with one topology and the same services.
  const whole = planChecks(cut, index.checks, TOPOLOGIES, topology ?? topologyForUrl(specs));
  const plan = settings.shard === undefined ? whole : shardOf(whole, settings.shard);
  const servers = assignServers(specs, plan.topology.servers);
  for (const spec of servers.values()) {
    driverOf(DRIVERS, spec, "a homeserver").check?.(spec);
  }
  if (settings.updateBaseline && settings.baseline === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: "--update-baseline has no file to write to",
      next: "name it with --baseline",
    });
  }
  if (settings.postTestScript !== undefined) requireScript(settings.postTestScript);
  const auth = authServicesOf(settings, servers, plan.requirements);
  const rtc = rtcServicesOf(settings, servers.keys(), plan.requirements);
  return { catalogue, plan, servers, auth, ...rtc };
}

/** @throws HarnessError BAD_USAGE */
export function topologyOf(asked: string): Topology {
  const topology = TOPOLOGIES.find(({ name }) => name === asked);
  if (topology !== undefined) return topology;
  const known = TOPOLOGIES.map(({ name }) => name);
  throw new HarnessError("BAD_USAGE", {
    what: `there is no topology ${asked}`,
    next: didYouMean(asked, known),
  });
}

/** One running server can not be two: without a second spec, only what one server shows is checked. */
function topologyForUrl(specs: readonly ServerSpec[]): Topology | undefined {
  const isSingle =
    specs.length === 1 && specs[0]?.substrate === "url" && specs[0].role === undefined;
  return isSingle ? TOPOLOGIES.find(({ name }) => name === "one") : undefined;
}
