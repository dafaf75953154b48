/** A client in a process of its own: asked over standard input, see frames.ts. It ends when nobody can ask any more. */
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";
import type { CallParticipant } from "#harness/clients/rtc/js-sdk/participant";
import type { CallOptions } from "#harness/clients/rtc/js-sdk-call";
import { HarnessError } from "#harness/errors";
import type { ClientKind } from "../capabilities.ts";
import { ClientLog } from "../client-log.ts";
import type { CryptoClient } from "../crypto-client.ts";
import type { ClientSetup } from "../setup.ts";
import { loadIndexedDb } from "../store/indexeddb.ts";
import { InMemory, OnDisk } from "../store/keeping.ts";
import { Telling } from "../telling.ts";
import { type Answer, decode, encode, type Question, thrownThere } from "./frames.ts";
import { type HandedSession, type Launch, takenOver } from "./launch.ts";

const kind = process.argv[2] as ClientKind | "js-sdk-call";
let client: CryptoClient | CallParticipant | undefined;
const runs = new Map<number, AsyncDisposable>();
let nextRun = 1;

// Libraries that print would break the frames.
console.log = console.info = console.debug = console.warn = console.error = () => undefined;

for await (const line of createInterface({ input: process.stdin })) {
  void answer(decode(line) as Question);
}
process.exit(0);

async function answer({ id, method, parameters }: Question): Promise<void> {
  let given: Answer;
  try {
    given = { id, result: await call(method, parameters) };
  } catch (error) {
    given = { id, error: thrownThere(error) };
  }
  process.stdout.write(encode(given));
}

async function call(method: string, parameters: readonly unknown[]): Promise<unknown> {
  if (method === "launch") {
    const [told] = parameters;
    client = await (kind === "js-sdk-call"
      ? launchCall(told as HandedSession & CallOptions)
      : launch(told as Launch));
    // By itself Node does this at the end, and a check's end kills.
    flushCompileCache();
    return null;
  }
  if (client === undefined) throw new HarnessError("INTERNAL", { what: `${method} before launch` });
  if (method === "run") {
    const run = nextRun++;
    runs.set(run, await (client as CryptoClient).running());
    return run;
  }
  if (method === "endRun") {
    const run = runs.get(parameters[0] as number);
    runs.delete(parameters[0] as number);
    await run?.[Symbol.asyncDispose]();
    return null;
  }
  const [name = "", step] = method.split(".");
  const owner = step === undefined ? client : Reflect.get(client, name);
  const called = Reflect.get(owner as object, step ?? name);
  if (typeof called !== "function") {
    throw new HarnessError("INTERNAL", { what: `a client has no ${method}` });
  }
  return await called.apply(owner, parameters);
}

async function launchCall(told: HandedSession & CallOptions): Promise<CallParticipant> {
  const { CallParticipant } = await import("#harness/clients/rtc/js-sdk/participant");
  return CallParticipant.start(takenOver(told), told);
}

async function launch(told: Launch): Promise<CryptoClient> {
  const { account, policy, sync, place, log } = told;
  const session = takenOver(told);
  const who = { user: account.userId, device: account.deviceId };
  if (place !== undefined) await loadIndexedDb(OnDisk.databaseIn(place.folder));
  const setup: ClientSetup = {
    session,
    policy,
    sync,
    place,
    keeping: place === undefined ? new InMemory() : new OnDisk(place.folder),
    telling: new Telling(log === undefined ? undefined : new ClientLog(log, who)),
  };
  switch (kind) {
    case "wasm": {
      const { WasmClient } = await import("../wasm-client.ts");
      return WasmClient.start(setup);
    }
    case "js-sdk": {
      const { JsSdkClient } = await import("../js-sdk/js-sdk-client.ts");
      return JsSdkClient.start(setup);
    }
    default:
      throw new HarnessError("INTERNAL", { what: `no client of kind ${kind} runs in Node` });
  }
}
