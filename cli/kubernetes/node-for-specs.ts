/**
 * A node that runs nothing: plays the StatefulSet controller, the scheduler and the kubelet for an API server that has none. A
 * pod is there and ready as soon as its set asks for one, its log is one line, and its ports lead to a port of this machine.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import { connect, type Socket } from "node:net";
import type { V1StatefulSet } from "@kubernetes/client-node";
import { statusOf } from "#drivers/substrates/kubernetes/client";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import type { ApiServer } from "./api-server-for-specs.ts";

const LOOPBACK = "127.0.0.1";
const NODE = "node-for-specs";
const PLAY_MS = 100;
export const LOG_LINE = "2026-11-27 a line of the log";
/** Of RFC 6455. */
const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BINARY = 2;
const CLOSE = 8;

export interface Node extends AsyncDisposable {
  /** From now on pods do not become ready, for this reason. */
  refuse: (reason: string | undefined) => void;
}

/** @param target port of this machine where the ports of pods lead */
export async function startNode(api: ApiServer, target: number): Promise<Node> {
  const cluster = await Cluster.connect();
  const { core } = cluster.api;
  const sockets = new Set<Socket>();
  const kubelet = createServer(api.tls, (request, response) => {
    // Everything that it is asked for without an upgrade is a log.
    response.end(request.url?.startsWith("/containerLogs/") ? `${LOG_LINE}\n` : undefined);
  });
  kubelet.on("upgrade", (request, socket: Socket) => {
    sockets.add(socket);
    forward(String(request.headers["sec-websocket-key"]), socket, target);
  });
  kubelet.listen(0, LOOPBACK);
  await once(kubelet, "listening");
  const address = kubelet.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const node = await core.createNode({ body: { metadata: { name: NODE } } });
  await core.replaceNodeStatus({
    name: NODE,
    body: {
      ...node,
      status: {
        addresses: [{ type: "InternalIP", address: LOOPBACK }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    },
  });
  let refusal: string | undefined;
  let isPlaying = false;
  const timer = setInterval(async () => {
    if (isPlaying) return;
    isPlaying = true;
    await play(cluster, refusal).catch(() => undefined);
    isPlaying = false;
  }, PLAY_MS);
  return {
    refuse: (reason) => {
      refusal = reason;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      kubelet.close();
      kubelet.closeAllConnections();
    },
  };
}

/** What the cluster's own parts would do next. Conflicts are for the next time. */
async function play({ api }: Cluster, refusal: string | undefined): Promise<void> {
  await endNamespaces(api);
  const { items } = await api.objects.list<V1StatefulSet>("apps/v1", "StatefulSet");
  for (const set of items) {
    const { name = "", namespace = "", generation = 0 } = set.metadata ?? {};
    const isWanted = set.spec?.replicas === 1;
    const pod = { namespace, name: `${name}-0` };
    const there = await api.core.readNamespacedPod(pod).catch((error) => {
      if (statusOf(error) === 404) return undefined;
      throw error;
    });
    const isLeaving = there?.metadata?.deletionTimestamp !== undefined;
    if (there !== undefined && (isLeaving || !isWanted)) {
      await api.core.deleteNamespacedPod({ ...pod, gracePeriodSeconds: 0 });
    }
    if (there === undefined && isWanted) await makePod(api, set, refusal);
    const readyReplicas = there !== undefined && isWanted && refusal === undefined ? 1 : 0;
    const { status } = set;
    if (status?.readyReplicas === readyReplicas && status.observedGeneration === generation)
      continue;
    const apps = new api.library.AppsV1Api(api.objects["configuration" as never]);
    const replicas = isWanted ? 1 : 0;
    await apps.replaceNamespacedStatefulSetStatus({
      namespace,
      name,
      body: { ...set, status: { replicas, readyReplicas, observedGeneration: generation } },
    });
  }
}

/** What is in them is left where it is: whoever removes a namespace here has removed that before. */
async function endNamespaces({ core }: Cluster["api"]): Promise<void> {
  for (const namespace of (await core.listNamespace()).items) {
    const { name = "", deletionTimestamp } = namespace.metadata ?? {};
    if (deletionTimestamp === undefined) continue;
    await core.replaceNamespaceFinalize({ name, body: { ...namespace, spec: { finalizers: [] } } });
  }
}

async function makePod(
  { core }: Cluster["api"],
  { metadata, spec }: V1StatefulSet,
  refusal: string | undefined,
): Promise<void> {
  const { name = "", namespace = "" } = metadata ?? {};
  const { template } = spec ?? {};
  if (template?.spec === undefined) return;
  const [container = { name: "" }] = template.spec.containers;
  const pod = await core.createNamespacedPod({
    namespace,
    body: {
      metadata: { ...template.metadata, name: `${name}-0` },
      spec: {
        ...template.spec,
        nodeName: NODE,
        volumes: [...(template.spec.volumes ?? []), { name: "data", emptyDir: {} }],
      },
    },
  });
  const state =
    refusal === undefined
      ? { running: { startedAt: new Date() } }
      : { waiting: { reason: refusal, message: "the double was told so" } };
  const isReady = refusal === undefined;
  await core.replaceNamespacedPodStatus({
    namespace,
    name: `${name}-0`,
    body: {
      ...pod,
      status: {
        phase: isReady ? "Running" : "Pending",
        hostIP: LOOPBACK,
        conditions: [{ type: "Ready", status: isReady ? "True" : "False" }],
        containerStatuses: [
          {
            name: container.name,
            image: container.image ?? "",
            imageID: "",
            ready: isReady,
            restartCount: 0,
            state,
          },
        ],
      },
    },
  });
}

/** The kubelet's side of a port-forward by WebSocket: channel 0 carries bytes, 1 errors; each begins with the port. */
function forward(key: string, socket: Socket, target: number): void {
  const accept = createHash("sha1").update(`${key}${ACCEPT}`).digest("base64");
  socket.write(
    [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Protocol: v4.channel.k8s.io",
      `Sec-WebSocket-Accept: ${accept}`,
      "\r\n",
    ].join("\r\n"),
  );
  const port = Buffer.from([target & 0xff, target >> 8]);
  for (const channel of [0, 1]) socket.write(frame(BINARY, Buffer.from([channel, ...port])));
  const inside = connect(target, LOOPBACK);
  inside.on("data", (bytes) => socket.write(frame(BINARY, Buffer.concat([Buffer.of(0), bytes]))));
  inside.on("end", () => socket.end(frame(CLOSE, Buffer.alloc(0))));
  inside.on("error", () => socket.destroy());
  socket.on("error", () => inside.destroy());
  socket.on("close", () => inside.destroy());
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (let read = readFrame(rest); read !== undefined; read = readFrame(rest)) {
      rest = rest.subarray(read.length);
      if (read.code === CLOSE) inside.end();
      else if (read.code === BINARY && read.payload[0] === 0)
        inside.write(read.payload.subarray(1));
    }
  });
}

function frame(code: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.of(0x80 | code, length), payload]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x80 | code;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** The first whole one, of a client, which masks what it sends. */
function readFrame(bytes: Buffer) {
  if (bytes.length < 2) return undefined;
  const code = (bytes[0] ?? 0) & 0x0f;
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head + 4) return undefined;
  const size =
    short === 126
      ? bytes.readUInt16BE(2)
      : short === 127
        ? Number(bytes.readBigUInt64BE(2))
        : short;
  const length = head + 4 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(head, head + 4);
  const payload = Buffer.from(bytes.subarray(head + 4, length));
  for (let at = 0; at < size; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0);
  return { code, payload, length };
}
