/** The program `livekit-server`: one that was named, or one that is built from its Go module, once. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { cacheFolder } from "#harness/cache";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { PrepareContext } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";

/** Pins every module: Go refuses one whose hash is another. */
const MODULE = path.join(import.meta.dirname, "module");
const PACKAGE = "github.com/livekit/livekit-server/cmd/server";
const NAME = "github.com/livekit/livekit-server";

/** Where its own packages install it; the PATH of services and of editors often lacks it. */
const GO = ["go", "/usr/local/go/bin/go"];

const preparations = new Map<string, Promise<string>>();

/**
 * Path of a program that tells a version.
 *
 * @throws HarnessError BAD_CONFIG, INSTALL_FAILED
 */
export function prepareProgram(spec: ServerSpec, context: PrepareContext): Promise<string> {
  const { binary } = spec;
  const key = binary ?? "";
  let preparation = preparations.get(key);
  if (preparation === undefined) {
    preparation = binary === undefined ? built(context) : given(binary, spec.text);
    preparations.set(key, preparation);
    // What failed may be mended by now.
    preparation.catch(() => preparations.delete(key));
  }
  return preparation;
}

async function given(binary: string, text: string): Promise<string> {
  const program = path.resolve(binary);
  if (!existsSync(program)) {
    throw new HarnessError("BAD_CONFIG", {
      what: `--sfu ${text}: there is no program ${binary}`,
      next: "unpack a release of LiveKit and write process:livekit=<its livekit-server>, or --sfu livekit to build it",
    });
  }
  await versionOf(program);
  return program;
}

/** As it tells itself, such as `1.11.0`. @throws HarnessError BAD_CONFIG when it can not be run. */
export async function versionOf(program: string): Promise<string> {
  const { code, output } = await runCommand(program, ["--version"]);
  const version = /\blivekit\S* version (\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
  if (code === 0 && version !== undefined) return version;
  throw new HarnessError("BAD_CONFIG", {
    what: `${program} does not tell a version of LiveKit`,
    facts: output
      .split("\n")
      .filter((line) => line !== "")
      .slice(-5),
    next: "check that it is livekit-server and was built for this machine",
  });
}

async function built({ signal, progress }: PrepareContext): Promise<string> {
  const pins = ["go.mod", "go.sum"].map((name) => readFileSync(path.join(MODULE, name), "utf8"));
  const version = new RegExp(`^\\s*${NAME} v(\\S+)`, "m").exec(pins.join("\n"))?.[1] ?? "";
  const hash = createHash("sha256").update(pins.join()).digest("hex").slice(0, 6);
  const target = path.join(cacheFolder("livekit"), `livekit-server-${version}-${hash}`);
  if (existsSync(target)) return target;
  const go = await findGo();
  progress(
    `building LiveKit ${version} from its Go module (once, some minutes; cached in ${path.dirname(target)})`,
  );
  const draft = `${target}.${process.pid}`;
  const args = ["build", "-C", MODULE, "-ldflags=-s -w", "-o", draft, PACKAGE];
  // What is pinned stays as it is, and no repository around the module is asked about.
  const env = { GOFLAGS: "-mod=readonly -buildvcs=false", GOWORK: "off" };
  const { code, output } = await runCommand(go, args, { env, signal });
  if (code !== 0) {
    await rm(draft, { force: true });
    throw new HarnessError("INSTALL_FAILED", {
      what: `LiveKit ${version} could not be built`,
      facts: [`${go} ${args.join(" ")}`, ...output.trim().split("\n").slice(-12)],
      next: "check that the Go module proxy answers (go env GOPROXY) and that Go is 1.25 or newer, or name a program: --sfu process:livekit=<livekit-server>",
    });
  }
  await rename(draft, target);
  return target;
}

async function findGo(): Promise<string> {
  for (const candidate of GO) {
    if ((await runCommand(candidate, ["version"])).code === 0) return candidate;
  }
  throw new HarnessError("INSTALL_FAILED", {
    what: "Go is needed to build LiveKit, and there is none",
    facts: GO.map((candidate) => `looked for ${candidate}`),
    next: "install Go 1.25 or newer, or name a program or an image: --sfu process:livekit=<livekit-server>, --sfu docker:<image>",
  });
}
