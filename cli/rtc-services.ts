/** Which SFU and which RTC authorization service the command line gives to each homeserver. */
import { parseServerSpec, type ServerSpec, type SpecKind } from "#harness/config/driver-spec";
import type { Settings } from "#harness/config/settings";
import { driverOf } from "#harness/deployment/services";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { RTC_AUTH_DRIVERS, SFU_DRIVERS } from "./drivers.ts";

type Specs = ReadonlyMap<string, ServerSpec>;

export interface RtcServices {
  /** By the roles of their homeservers; undefined: they have none. */
  readonly sfu: Specs | undefined;
  readonly rtcAuth: Specs | undefined;
}

const SFU: SpecKind = {
  flag: "--sfu",
  drivers: ["livekit"],
  examples: {
    process: "process:livekit=./livekit-server",
    docker: "docker:livekit/livekit-server:v1.11",
    url: "url:wss://sfu.example.org",
  },
  scheme: "ws",
};

const RTC_AUTH: SpecKind = {
  flag: "--rtc-auth",
  drivers: RTC_AUTH_DRIVERS.map(({ name }) => name),
  examples: {
    process: "process:lk-jwt-service=./lk-jwt-service",
    docker: "docker:ghcr.io/element-hq/lk-jwt-service:0.5.0",
    url: "url:https://rtc.example.org",
  },
};

/** What words alone stand for. */
const LONG_NAMES: Readonly<Record<string, string>> = {
  embedded: "process:rtc-auth",
  "lk-jwt-service": "process:lk-jwt-service",
};

const SUITE = "msc4143";

/**
 * @param requirements When most are of MatrixRTC, or there is an SFU, servers get our own service unless told otherwise.
 * @throws HarnessError BAD_USAGE
 */
export function rtcServicesOf(
  { sfu: givenSfu, rtcAuth: givenAuth }: Pick<Settings, "sfu" | "rtcAuth">,
  roles: Iterable<string>,
  requirements: readonly Pick<Requirement, "suite">[],
): RtcServices {
  const sfu = specOf(givenSfu, SFU, (word) => `process:${word}`);
  if (sfu !== undefined) driverOf(SFU_DRIVERS, sfu, "an SFU").check?.(sfu);
  const ofRtc = requirements.filter(({ suite }) => suite === SUITE);
  const isWanted = sfu !== undefined || ofRtc.length > requirements.length / 2;
  const asked = givenAuth ?? (isWanted ? "embedded" : "none");
  const rtcAuth = specOf(asked, RTC_AUTH, (word) => LONG_NAMES[word] ?? word);
  if (rtcAuth !== undefined) checkRtcAuth(rtcAuth, sfu !== undefined);
  const all = [...roles];
  const forAll = (spec: ServerSpec | undefined) =>
    spec && new Map(all.map((role) => [role, spec] as const));
  return { sfu: forAll(sfu), rtcAuth: forAll(rtcAuth) };
}

function checkRtcAuth(spec: ServerSpec, hasSfu: boolean): void {
  const { check, needsSfu } = driverOf(RTC_AUTH_DRIVERS, spec, "an RTC authorization service");
  check?.(spec);
  if (needsSfu !== true || hasSfu) return;
  throw new HarnessError("BAD_USAGE", {
    what: `--rtc-auth ${spec.text}: it gives no tokens without an SFU, on which it makes rooms`,
    next: "add --sfu livekit",
  });
}

/** @param long the spec that a word alone stands for */
function specOf(
  given: string | undefined,
  kind: SpecKind,
  long: (word: string) => string,
): ServerSpec | undefined {
  if (given === undefined || given === "none") return undefined;
  const spec = parseServerSpec(given.includes(":") ? given : long(given), kind);
  if (spec.role === undefined) return spec;
  throw new HarnessError("BAD_USAGE", {
    what: `${kind.flag} ${given}: it has no role of its own`,
    next: "leave out the role: each homeserver gets one",
  });
}
