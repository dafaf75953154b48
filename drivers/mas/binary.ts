/** The program `mas-cli`, and the folder with its templates, translations, policy and assets. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";

export interface Binary {
  readonly program: string;
  readonly share: string;
}

/** Where the image and a packaged MAS keep it. */
const INSTALLED_SHARE = "/usr/local/share/mas-cli";

/** @throws HarnessError BAD_CONFIG */
export function binaryOf({ binary, options, text }: ServerSpec): Binary {
  const program = path.resolve(binary ?? "");
  if (binary === undefined || !existsSync(program)) {
    throw new HarnessError("BAD_CONFIG", {
      what: `--mas ${text}: there is no program ${binary ?? "named"}`,
      next: "unpack a release of matrix-authentication-service and write process:mas=<its mas-cli>",
    });
  }
  const given = options.get("share");
  // As its release archives lie: mas-cli beside share.
  const places =
    given === undefined
      ? [path.join(path.dirname(program), "share"), INSTALLED_SHARE]
      : [path.resolve(given)];
  const share = places.find((place) => existsSync(path.join(place, "policy.wasm")));
  if (share !== undefined) return { program, share };
  throw new HarnessError("BAD_CONFIG", {
    what: `no policy.wasm lies where ${program} needs it`,
    facts: places.map((place) => `looked in ${place}`),
    next: "keep the folder share of the release archive beside mas-cli, or add share=<folder>",
  });
}

/** As it tells itself, such as `v1.22.0`. @throws HarnessError BAD_CONFIG when it can not be run. */
export async function versionOf(program: string): Promise<string> {
  const { code, output } = await runCommand(program, ["--version"]);
  const version = /\bv?\d+\.\d+\.\d+\S*/.exec(output)?.[0];
  if (code === 0 && version !== undefined) return version;
  throw new HarnessError("BAD_CONFIG", {
    what: `${program} does not tell its version`,
    facts: output
      .split("\n")
      .filter((line) => line !== "")
      .slice(-5),
    next: "check that it is mas-cli and was built for this machine",
  });
}
