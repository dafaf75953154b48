/** A LiveKit that we start: as a child process, or from an image such as the official one. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { serveContainer } from "#drivers/substrates/docker/served";
import { freeAddress } from "#drivers/substrates/process/address";
import { serve } from "#drivers/substrates/process/served";
import type {
  RunningSfu,
  SfuCapabilities,
  SfuStartContext,
} from "#harness/deployment/rtc-contract";
import { configurationOf, SETTINGS } from "./configuration.ts";
import { prepareProgram, versionOf } from "./program.ts";
import { roomsOf } from "./rooms.ts";

const TARGET = "/etc/livekit/livekit.yaml";
/** It answers OK here. */
const HEALTH = "/";

interface Started extends AsyncDisposable {
  readonly what: string;
  readonly capabilities: SfuCapabilities;
}

type Address = { readonly host: string; readonly port: number };

export function startProcess(context: SfuStartContext): Promise<RunningSfu> {
  return start(context, async (configuration, address) => {
    const program = await prepareProgram(context.spec, context);
    const { child, capabilities } = await serve(context, {
      command: program,
      args: ["--config", configuration],
      cwd: context.workFolder,
      env: {},
      address,
      path: HEALTH,
    });
    return {
      what: `LiveKit ${await versionOf(program)}`,
      capabilities,
      [Symbol.asyncDispose]: () => child.kill(),
    };
  });
}

export function startContainer(context: SfuStartContext): Promise<RunningSfu> {
  const { image = "" } = context.spec;
  return start(context, async (configuration, address) => {
    const container = await serveContainer(context, {
      image,
      args: ["--config", TARGET],
      configuration,
      target: TARGET,
      address,
      path: HEALTH,
    });
    return {
      what: `LiveKit of ${image}`,
      capabilities: container.capabilities,
      [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
    };
  });
}

async function start(
  context: SfuStartContext,
  run: (configuration: string, address: Address) => Promise<Started>,
): Promise<RunningSfu> {
  const { role, workFolder } = context;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(workFolder, { recursive: true, force: true }));
  await mkdir(workFolder, { recursive: true });
  const address = await freeAddress();
  const { apiKey, apiSecret, content } = await configurationOf(context, address);
  const file = path.join(workFolder, "livekit.yaml");
  await writeFile(file, content, { mode: 0o600 });
  const { what, capabilities } = stack.use(await run(file, address));
  const access = { websocketUrl: `ws://${address.host}:${address.port}`, apiKey, apiSecret };
  const owned = stack.move();
  return {
    role,
    kind: "livekit",
    address: () => address,
    access,
    settings: [what, ...SETTINGS],
    capabilities: { ...capabilities, showsRooms: roomsOf(role, access) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
