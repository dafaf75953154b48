/** A service of our own: a child process of this very Node, told what it has to know by a settings file. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Address, StartContext } from "#harness/deployment/contract";
import { bundled } from "#harness/runs/bundled";
import { compiledBefore } from "#harness/runs/compiled";
import { type ServeContext, type Served, serve } from "./served.ts";

export interface OwnService {
  /** `import.meta.url` of a module beside `child.ts`, which takes the settings file as its argument. */
  readonly besideChild: string;
  /** May have secrets: the file is its owner's. */
  readonly settings: object;
  /** Where it answers when it is up, and what it is asked for there. */
  readonly address: Address;
  readonly path: string;
}

export interface ServedService extends AsyncDisposable {
  readonly capabilities: Served["capabilities"];
}

/** Dispose ends it and removes its work folder. @throws HarnessError HS_DID_NOT_START with its last log lines */
export async function serveOwn(
  context: ServeContext & Pick<StartContext, "workFolder">,
  { besideChild, settings, address, path: asked }: OwnService,
): Promise<ServedService> {
  const { workFolder } = context;
  await mkdir(workFolder, { recursive: true });
  const settingsFile = path.join(workFolder, "settings.json");
  await writeFile(settingsFile, JSON.stringify(settings), { mode: 0o600 });
  const { child, capabilities } = await serve(context, {
    command: process.execPath,
    args: [await bundled(childFile(besideChild)), settingsFile],
    cwd: workFolder,
    env: { NODE_NO_WARNINGS: "1", ...compiledBefore() },
    address,
    path: asked,
  });
  return {
    capabilities,
    [Symbol.asyncDispose]: async () => {
      await child.kill();
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}

/** As source, or compiled in the package that is published. */
function childFile(beside: string): string {
  const [, extension = "ts"] = /\.(\w+)$/.exec(beside) ?? [];
  return fileURLToPath(new URL(`./child.${extension}`, beside));
}
