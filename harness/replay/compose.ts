/** Puts together what a check saw of a room, what servers showed of it, and what went between them. */
import type { Exchange } from "#harness/gateway/exchange";
import type { ServerFacts } from "#harness/results/outcome";
import { type Body, type CheckEvidence, REPLAY_FORMAT, type ReplayRecord } from "./record.ts";
import { type Carrying, RoomComposer, type Timed } from "./room-composer.ts";
import { eventsIn } from "./traffic.ts";

export interface ReplaySource {
  readonly evidence: CheckEvidence;
  /** Exchanges of the deployment, in any order; others than those about the rooms are left out. */
  readonly exchanges: readonly Exchange[];
  readonly servers: readonly (ServerFacts & { readonly serverName: string })[];
  readonly run: string;
  readonly seed: number;
  readonly tool: string;
  /** How the check failed is not for everybody. */
  readonly isSensitive: boolean;
}

/** The records of a replay file, in order. */
export function composeReplay(source: ReplaySource): readonly ReplayRecord[] {
  const { evidence, exchanges, servers } = source;
  const names = new Map([
    ...exchanges.flatMap(({ from, origin }) =>
      // A peer may claim to be somebody else.
      origin?.startsWith(from) ? [[from, origin] as const] : [],
    ),
    ...servers.map(({ role, serverName }) => [role, serverName] as const),
  ]);
  const carrying = exchanges.flatMap((exchange): Carrying[] => {
    const carried = eventsIn(exchange);
    return carried === undefined ? [] : [[exchange, carried]];
  });
  const rooms = evidence.rooms.map((room) => new RoomComposer(evidence, room, carrying, names));
  const bodies = rooms.flatMap((room) => room.bodies());
  const known = new Set(servers.map(({ serverName }) => serverName));
  const peers = bodies.flatMap(([, body]) =>
    body.t === "arrive" && !known.has(body.server) ? [body.server] : [],
  );
  return ordered(source, rooms, [
    ...[...new Set(peers)].map(
      (name): Timed => [evidence.from, { t: "server", name, implementation: "peer" }],
    ),
    ...servers.map(
      ({ serverName: name, implementation, version }): Timed => [
        evidence.from,
        { t: "server", name, implementation, version },
      ],
    ),
    ...bodies,
    [
      evidence.to,
      {
        t: "step",
        id: 1,
        name: evidence.title,
        ok: evidence.isPassed,
        ...(evidence.message === undefined ? {} : { message: evidence.message }),
      },
    ],
  ]);
}

function metaOf(
  { evidence, run, seed, tool, isSensitive }: ReplaySource,
  rooms: readonly RoomComposer[],
): Body {
  const versions = Object.fromEntries(
    rooms.flatMap(({ id, version }) => (version === undefined ? [] : [[id, version.id] as const])),
  );
  const [first, ...others] = new Set(Object.values(versions));
  return {
    t: "meta",
    format: REPLAY_FORMAT,
    version: 1,
    rooms: rooms.map(({ id }) => id),
    ...(first === undefined
      ? {}
      : others.length === 0
        ? { room_version: first }
        : { room_versions: versions }),
    run,
    test: `${evidence.requirement} ${evidence.title}`,
    seed,
    tool,
    ...(isSensitive ? { sensitive: true as const } : {}),
  };
}

/** By time; what came at once in the order of the kinds; each event ahead of its first arrival. */
function ordered(
  source: ReplaySource,
  rooms: readonly RoomComposer[],
  bodies: readonly Timed[],
): readonly ReplayRecord[] {
  const { from } = source.evidence;
  const rank = { meta: 0, server: 1, note: 2, http: 3, pdu: 4, arrive: 5, state: 6, step: 7 };
  const sorted = withoutTwins(bodies)
    .map(([at, body], index) => ({ at, body, index }))
    .sort((a, b) => a.at - b.at || rank[a.body.t] - rank[b.body.t] || a.index - b.index);
  const records: ReplayRecord[] = [];
  const told = new Set<string>();
  const add = (at: number, body: Body) => {
    records.push({ seq: records.length + 1, at: Math.round(at), ...body });
  };
  add(from, metaOf(source, rooms));
  for (const { at, body } of sorted) {
    if (body.t === "arrive" && !told.has(body.event_id)) {
      told.add(body.event_id);
      const pdu = rooms.map((room) => room.pdu(body.event_id)).find((one) => one !== undefined);
      add(at, { t: "pdu", event_id: body.event_id, pdu: pdu ?? {} });
    }
    add(at, body);
  }
  return records;
}

/** An exchange may be about several rooms. */
function withoutTwins(bodies: readonly Timed[]): readonly Timed[] {
  const exchanges = new Map<string, Timed>();
  const others = bodies.filter(([at, body]) => {
    if (body.t !== "http") return true;
    const twin = exchanges.get(body.id)?.[1];
    const events = twin?.t === "http" ? [...twin.events, ...body.events] : body.events;
    exchanges.set(body.id, [at, { ...body, events }]);
    return false;
  });
  return [...others, ...exchanges.values()];
}
