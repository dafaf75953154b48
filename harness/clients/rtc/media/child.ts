/** A participant with media in a process of its own: asked over standard input, see crypto/process/frames.ts. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import {
  type Answer,
  decode,
  encode,
  type Question,
  thrownThere,
} from "#harness/clients/crypto/process/frames";
import { HarnessError } from "#harness/errors";
import { MediaRoom } from "./media-room.ts";
import type { JoinOrder } from "./report.ts";
import { type Loaded, loadRtcNode } from "./rtc-node.ts";

/** Time to tell the SFU of the end; native threads may hang. */
const END_MS = 1_000;

let loaded: Loaded | undefined;
let room: MediaRoom | undefined;

// What libraries print would break the frames.
console.log = console.info = console.debug = console.warn = console.error = () => undefined;

for await (const line of createInterface({ input: process.stdin })) {
  void answer(decode(line) as Question);
}
// Nobody asks any more.
setTimeout(() => process.kill(process.pid, "SIGKILL"), END_MS);
await room?.leave().catch(() => undefined);
await loaded?.library.dispose();
process.exit(0);

async function answer({ id, method, parameters }: Question): Promise<void> {
  let given: Answer;
  try {
    given = { id, result: (await call(method, parameters)) ?? null };
  } catch (error) {
    given = { id, error: thrownThere(error) };
  }
  process.stdout.write(encode(given));
}

async function call(method: string, parameters: readonly unknown[]): Promise<unknown> {
  if (method === "probe") return await probe();
  if (method === "join") {
    loaded = loadRtcNode();
    room = await MediaRoom.join(loaded, parameters[0] as JoinOrder);
    return room.identity;
  }
  if (room === undefined) throw new HarnessError("INTERNAL", { what: `${method} before join` });
  const called = Reflect.get(room, method);
  if (typeof called !== "function")
    throw new HarnessError("INTERNAL", { what: `a participant has no ${method}` });
  return await called.apply(room, parameters);
}

/** Whether media work here: the library loads, and a datagram comes back over loopback. */
async function probe(): Promise<void> {
  loaded = loadRtcNode();
  const socket = createSocket("udp4");
  try {
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address() as AddressInfo;
    const came = once(socket, "message", { signal: AbortSignal.timeout(END_MS) });
    socket.send("probe", port, "127.0.0.1");
    await came;
  } finally {
    socket.close();
  }
}
