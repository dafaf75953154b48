/** A new driver of homeservers that run as processes. Containers that honour Complement's contract need none. */
import type { Scaffold } from "./scaffold.ts";

export function driverScaffold(name: string): Scaffold {
  const variable = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    files: {
      [`drivers/${name}/index.ts`]: `/** ${name} as a child process: \`--hs process:${name}=<path to its binary>\`. */
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { serve } from "#drivers/substrates/process/served";
import { defineDriver, type RunningServer, type StartContext } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { type Configuration, configurationText } from "./configuration.ts";

const NAME = "${name}";
const USAGE = \`process:\${NAME}=<path to its binary>\`;

export const ${variable} = defineDriver({
  name: NAME,
  usage: [USAGE],
  accepts: ({ substrate, driver }) => substrate === "process" && driver === NAME,
  // Where it has to be installed or built first, here: the result is cached, and this may take minutes the first time.
  prepare: async () => undefined,
  start,
});

async function start(context: StartContext): Promise<RunningServer> {
  const { role, spec, workFolder, network, features } = context;
  if (spec.binary === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: \`\${spec.text} does not say where its binary is\`,
      next: \`write \${USAGE}\`,
    });
  }
  if (features.length > 0) {
    const what = \`\${NAME} can not switch on \${features.join(", ")}\`;
    throw new HarnessError("INTERNAL", { what });
  }
  const address = await freeAddress();
  const serverName = \`\${role}:8448\`;
  const file = path.join(workFolder, "configuration.json");
  const configuration: Configuration = { serverName, ...address, caFile: network.ca.file };
  await writeFile(file, configurationText(configuration));
  // What it sends to other servers has to go through the gateway, or no fault and no record reaches it.
  const proxy = \`http://127.0.0.1:\${network.proxyPort}\`;
  const { child, capabilities } = await serve(context, {
    command: spec.binary,
    args: ["--config", file],
    cwd: workFolder,
    env: { https_proxy: proxy, HTTPS_PROXY: proxy, no_proxy: "127.0.0.1,localhost" },
    address,
  });
  return {
    role,
    serverName,
    client: () => address,
    federation: () => address,
    settings: [\`as \${NAME} is by default\`],
    // Each further one makes more checks run: registersUsers, configuresFeatures, snapshotsData, …
    capabilities,
    [Symbol.asyncDispose]: async () => {
      await child.kill();
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}
`,
      [`drivers/${name}/configuration.ts`]: `/** The configuration of ${name}: what it is told in its own words. */
export interface Configuration {
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  /** Certificate of the run's authority, which other servers' certificates are of. */
  readonly caFile: string;
}

export function configurationText({ serverName, host, port, caFile }: Configuration): string {
  const told = { server_name: serverName, listen: { host, port }, federation_ca_file: caFile };
  return \`\${JSON.stringify(told, null, 2)}\\n\`;
}
`,
    },
    next: [
      `make configurationText and the arguments those of ${name}`,
      `name it: ${variable} in DRIVERS of cli/drivers.ts, "${name}" in HOMESERVER.drivers of harness/config/driver-spec.ts`,
      `crucible doctor --hs process:${name}=<path to its binary>`,
    ],
  };
}
