/** Ports of this machine that lead to a pod through the API server, as `kubectl port-forward` has them. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import type { Api } from "./client.ts";
import { podName } from "./cluster.ts";

const LOOPBACK = "127.0.0.1";

export interface Forward extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** @param name of the stateful set; its pod may be another at the next connection */
export async function forwardPort(
  { library, config }: Api,
  { namespace, name, port }: { namespace: string; name: string; port: number },
): Promise<Forward> {
  const forwarder = new library.PortForward(config);
  const sockets = new Set<Socket>();
  const server = createServer(async (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A connection that breaks is for its two ends to notice.
    socket.on("error", () => undefined);
    const input = new PassThrough();
    socket.pipe(input);
    try {
      const link = await forwarder.portForward(
        namespace,
        podName(name),
        [port],
        socket,
        null,
        input,
      );
      if (typeof link === "function") throw new Error("a link that is made anew was not asked for");
      const end = () => link.close();
      link.onclose = () => socket.end();
      link.onerror = () => socket.destroy();
      socket.once("close", end);
      if (socket.destroyed) end();
    } catch {
      socket.destroy();
    }
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  return {
    host: LOOPBACK,
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
