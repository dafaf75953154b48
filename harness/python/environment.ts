/** Python environments from PyPI, made once and cached. */
import { existsSync, readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { cacheFolder } from "#harness/cache";
import { HarnessError } from "#harness/errors";
import { runCommand } from "./command.ts";

const CANDIDATES = [
  "python3",
  "python3.14",
  "python3.13",
  "python3.12",
  "python3.11",
  "python3.10",
  "python",
];
const SYSTEM_PYTHON = "/usr/bin/python3";
const UV_VERSION = "0.9.9";

export interface EnvironmentPlan {
  /** Folder in the cache, for example `synapse/1.163.2`. */
  readonly name: readonly string[];
  readonly packages: readonly string[];
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

/**
 * The environment's Python with the packages installed; made when it is not there yet.
 *
 * @throws HarnessError NO_PYTHON, INSTALL_FAILED
 */
export async function pythonEnvironment(plan: EnvironmentPlan): Promise<string> {
  const folder = path.join(cacheFolder(...plan.name.slice(0, -1)), plan.name.at(-1) ?? "env");
  const python = path.join(folder, "bin", "python");
  if (existsSync(path.join(folder, "complete"))) return python;
  const base = await findPython();
  const { progress, signal } = plan;
  await rm(folder, { recursive: true, force: true });
  // Made in place, since an environment can not be moved; the marker comes last, so half an environment is never used.
  const uv = await findUv(base, plan);
  progress(`installing ${plan.packages.join(" ")} (once; cached in ${folder})`);
  const venv =
    uv === undefined
      ? ["-m", "venv", folder]
      : ["venv", "--python", (await systemPython()) ?? base, folder];
  const install =
    uv === undefined
      ? ["-m", "pip", "install", "--disable-pip-version-check"]
      : ["pip", "install", "--python", python, "--compile-bytecode"];
  const steps: [string, string[]][] = [
    [uv ?? base, venv],
    [uv ?? python, [...install, "--quiet", ...plan.packages]],
  ];
  for (const [command, args] of steps) {
    const { code, output } = await runCommand(command, args, { signal });
    if (code === 0) continue;
    const [wanted = ""] = plan.packages;
    const newest = await newestBelow(wanted, uv ?? python, install, signal);
    await rm(folder, { recursive: true, force: true });
    if (newest !== undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `the package index has no ${wanted}`,
        next: `did you mean ${newest}?`,
      });
    }
    throw new HarnessError("INSTALL_FAILED", {
      what: `${wanted} could not be installed`,
      facts: [`${command} ${args.join(" ")}`, ...output.trim().split("\n").slice(-12)],
      next: "check that the Python package index answers; a compiler may be missing for this version",
    });
  }
  await runCommand("touch", [path.join(folder, "complete")]);
  return python;
}

/** Which Python an environment has, as its own file says; undefined: it is none, or has no such file. */
export function pythonVersionIn(python: string): string | undefined {
  try {
    const file = path.join(path.dirname(path.dirname(python)), "pyvenv.cfg");
    return /^version(?:_info)? = (\S+)$/m.exec(readFileSync(file, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Adds packages to an environment of ours that only some of its uses need, once.
 *
 * @throws HarnessError INSTALL_FAILED
 */
export async function addPackages(
  python: string,
  { packages, ...context }: Omit<EnvironmentPlan, "name">,
): Promise<void> {
  const folder = path.dirname(path.dirname(python));
  const marker = path.join(folder, `with-${packages.join("-")}`);
  if (existsSync(marker)) return;
  const uv = await findUv(python, context);
  context.progress(`adding ${packages.join(" ")} to ${folder} (once)`);
  const install =
    uv === undefined ? ["-m", "pip", "install", "--quiet"] : ["pip", "install", "--python", python];
  const { code, output } = await runCommand(uv ?? python, [...install, ...packages], {
    signal: context.signal,
  });
  if (code === 0) {
    await runCommand("touch", [marker]);
    return;
  }
  throw new HarnessError("INSTALL_FAILED", {
    what: `${packages.join(" ")} could not be installed`,
    facts: output.trim().split("\n").slice(-12),
    next: "check that the Python package index answers",
  });
}

/** The version that stands in for one that the index does not have; undefined when it has it, or gives no answer. */
async function newestBelow(
  wanted: string,
  command: string,
  install: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const [name = "", version = ""] = wanted.split("==");
  const args = [...install, "--dry-run", "--no-deps", `${name}<=${version}`];
  const { output } = await runCommand(command, args, { signal });
  const [, newest] = new RegExp(`${name}(?:==|-)(\\d\\S*)`).exec(output) ?? [];
  return newest === version ? undefined : newest;
}

/** @throws HarnessError NO_PYTHON that says what to install. */
export async function findPython(): Promise<string> {
  const seen: string[] = [];
  for (const candidate of CANDIDATES) {
    const { code, output } = await runCommand(candidate, [
      "-c",
      "import sys, venv, ensurepip; print(sys.executable, '%d.%d' % sys.version_info[:2])",
    ]);
    const [executable, version] = output.trim().split(" ");
    if (code === 0 && executable !== undefined && version !== undefined) {
      const [major = 0, minor = 0] = version.split(".").map(Number);
      if (major === 3 && minor >= 10) return executable;
      seen.push(`${candidate} is ${version}`);
    } else if (code !== undefined) {
      seen.push(`${candidate} has no venv module`);
    }
  }
  throw new HarnessError("NO_PYTHON", {
    what: "Python 3.10 or newer with venv is needed",
    facts: seen.length > 0 ? seen : ["no python3 on the PATH"],
    next:
      "install it (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3; macOS: brew install python), " +
      "or, for a homeserver, use a container: npm run -s crucible -- run --hs docker:<image>",
  });
}

/**
 * The distribution's own, when it can also compile: it is built with profile-guided optimization, which the first on the PATH
 * often is not (pyenv's are not by default), and Synapse needs a fifth less CPU with it. uv does not ask for its venv module.
 */
async function systemPython(): Promise<string | undefined> {
  const { code } = await runCommand(SYSTEM_PYTHON, [
    "-c",
    "import os, sys, sysconfig; " +
      "sys.exit(sys.version_info < (3, 10) or not os.path.exists(sysconfig.get_config_h_filename()))",
  ]);
  return code === 0 ? SYSTEM_PYTHON : undefined;
}

/** uv from the PATH, or one of our own: it installs in seconds where pip takes a minute. */
async function findUv(
  base: string,
  plan: Pick<EnvironmentPlan, "progress" | "signal">,
): Promise<string | undefined> {
  const own = path.join(cacheFolder("tools"), `uv-${UV_VERSION}`);
  for (const candidate of ["uv", path.join(own, "bin", "uv")]) {
    if ((await runCommand(candidate, ["--version"])).code === 0) return candidate;
  }
  plan.progress("installing uv (once)");
  const draft = `${own}.${process.pid}`;
  for (const args of [
    ["-m", "venv", draft],
    ["-m", "pip", "--version"],
  ]) {
    if ((await runCommand(base, args, { signal: plan.signal })).code !== 0) return undefined;
  }
  const pip = await runCommand(
    path.join(draft, "bin", "python"),
    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `uv==${UV_VERSION}`],
    { signal: plan.signal },
  );
  if (pip.code !== 0) {
    await rm(draft, { recursive: true, force: true });
    return undefined;
  }
  // uv is one binary that does not look at where it lies.
  await rename(draft, own).catch(() => rm(draft, { recursive: true, force: true }));
  return path.join(own, "bin", "uv");
}
