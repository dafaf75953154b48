/** Ports on an address that pods reach, each leading to a port on loopback. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, HarnessError } from "#harness/errors";

const LOOPBACK = "127.0.0.1";

export interface Inlet extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** @throws HarnessError BAD_CONFIG when this machine has no such address */
export async function openInlet(host: string, port: number): Promise<Inlet> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((outside) => {
    const inside = connect(port, LOOPBACK);
    for (const [from, to] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      track(from);
      from.pipe(to);
      // Either end may break off; the other then does too.
      from.on("error", () => to.destroy());
      from.once("close", () => to.destroy());
    }
  });
  try {
    server.listen(0, host);
    await once(server, "listening");
  } catch (cause) {
    throw new HarnessError("BAD_CONFIG", {
      what: `nothing can listen on ${host}`,
      facts: [describe(cause)],
      next: "gateway=… is an address of this machine that pods reach, such as that of a bridge to the nodes",
      cause,
    });
  }
  const address = server.address();
  return {
    host,
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
