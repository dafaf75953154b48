/** Where matrix-nio lives: an environment of its own, made once, of the exact versions in requirements.txt. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { pythonEnvironment } from "#harness/python/environment";
import { digest } from "../parcel.ts";

const FOLDER = import.meta.dirname;

/** @throws HarnessError NO_PYTHON, INSTALL_FAILED */
export async function nioCommand(signal: AbortSignal) {
  const text = readFileSync(path.join(FOLDER, "requirements.txt"), "utf8");
  const packages = text.split("\n").filter((line) => line !== "");
  const [first = ""] = packages;
  // Other versions make another environment, so that a cached one is never stale.
  const name = ["nio", `${first.replace(/.*==/, "")}-${digest(text).slice(0, 6)}`];
  const progress = () => undefined;
  const python = await pythonEnvironment({ name, packages, signal, progress });
  return { command: python, args: [path.join(FOLDER, "client.py")] };
}
