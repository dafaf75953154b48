/** What matrix-org/complement's README ("Image requirements") fixes, on every substrate. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { registrationOf } from "#drivers/substrates/registration";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { AppserviceRegistration } from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

export const CLIENT_PORT = 8008;
export const FEDERATION_PORT = 8448;
/** Of registration by Synapse's endpoint, which the contract took over. */
const SHARED_SECRET = "complement";
/** Synapse's images merge the files there into their configuration. */
export const CONFIGURATION_FOLDER = "/conf/homeserver.d";

/** The run's authority, which the image makes its own certificate with. */
export function authorityFiles(ca: {
  readonly certificate: string;
  readonly privateKey: string;
}): Record<string, string> {
  return {
    "/complement/ca/ca.crt": ca.certificate,
    "/complement/ca/ca.key": ca.privateKey,
  };
}

/** @param host where the image reaches the application service */
export function appserviceFile(
  appservice: AppserviceRegistration,
  host: string,
): Record<string, string> {
  const { id } = appservice;
  return { [`/complement/appservice/${id}.yaml`]: stringify(registrationOf(appservice, host)) };
}

/** Options of every substrate; a substrate may have more. */
const OPTIONS = ["shared-secret", "config", "env.NAME"];

export interface ImageOptions {
  readonly names: readonly string[];
  readonly sharedSecret: string;
  readonly config: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** @throws HarnessError BAD_USAGE for an option that is not known, BAD_FILE for a file that can not be read. */
export function imageOptions(
  { options, text }: Pick<ServerSpec, "options" | "text">,
  more: readonly string[] = [],
): ImageOptions {
  const known = [...OPTIONS, ...more];
  const env: Record<string, string> = {};
  for (const [option, value] of options) {
    if (option.startsWith("env.")) env[option.slice("env.".length)] = value;
    else if (!known.includes(option)) {
      throw new HarnessError("BAD_USAGE", {
        what: `--hs ${text}: containers have no option ${option}`,
        next: didYouMean(option, known),
      });
    }
  }
  const config = options.get("config");
  return {
    names: [...options.keys()],
    sharedSecret: options.get("shared-secret") ?? SHARED_SECRET,
    config: config === undefined ? undefined : readConfig(config),
    env,
  };
}

/** @throws HarnessError BAD_FILE */
function readConfig(file: string): string {
  try {
    return readFileSync(path.resolve(file), "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the configuration ${file} can not be read`,
      facts: [describe(cause)],
      next: "name a YAML file: --hs docker:<image>,config=<file>",
      cause,
    });
  }
}
