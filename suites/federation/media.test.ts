import { type HttpResponse, path } from "#harness/http/client";
import { textAt } from "#harness/match/json";
import { imageSize, png } from "#harness/match/png";
import { refused } from "#harness/peer/lies";
import type { Peer } from "#harness/peer/peer";
import type { Handler, PeerRequest } from "#harness/peer/routes";
import { check, type Mutant } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

const MEDIA = "/_matrix/federation/v1/media";
const LEGACY = "/_matrix/media/";

interface Part {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** The parts of a multipart/mixed answer (RFC 2046 §5.1). */
function partsOf(response: HttpResponse): readonly Part[] {
  expectStatus(response, 200);
  const type = String(response.headers["content-type"] ?? "no content type");
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type);
  expectThat(
    /^multipart\/mixed\s*;/i.test(type) && boundary !== null,
    "multipart/mixed with a boundary",
    type,
    response,
  );
  const delimiter = `\r\n--${boundary[1] ?? boundary[2]}`;
  // Each character is a byte.
  const [, ...sections] = `\r\n${response.bytes.toString("latin1")}`.split(delimiter);
  const end = sections.pop();
  expectThat(end?.startsWith("--") === true, "a closing delimiter", end ?? "nothing", response);
  return sections.map((section) => {
    const [head = "", ...rest] = section.replace(/^[ \t]*\r\n/, "\r\n").split("\r\n\r\n");
    const headers = head
      .split("\r\n")
      .filter((line) => line !== "")
      .map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      });
    return { headers: new Map(headers), body: Buffer.from(rest.join("\r\n\r\n"), "latin1") };
  });
}

/** The second of two parts, of which the first is an empty object; undefined when it lies elsewhere. */
function mediaIn(response: HttpResponse): Part | undefined {
  const parts = partsOf(response);
  expectEqual(parts.length, 2, "the number of parts", response);
  const [metadata, media] = parts;
  const type = metadata?.headers.get("content-type") ?? "no content type";
  expectThat(/^application\/json\s*(?:;|$)/i.test(type), "metadata as JSON", type, response);
  expectEqual(JSON.parse(metadata?.body.toString() ?? ""), {}, "the metadata", response);
  return media?.headers.has("location") === true ? undefined : media;
}

/** Uploads media; returns its id. */
async function upload(alice: Session, bytes: Buffer, type: string): Promise<string> {
  const response = await alice.request("POST", "/_matrix/media/v3/upload", {
    raw: bytes,
    headers: { "content-type": type },
  });
  return textAt(ok(response), "content_uri").split("/").at(-1) ?? "";
}

function sendsPlainBytes(route: string): Mutant {
  return altersAnswer(
    "sends plain bytes",
    { from: "peer-*", path: route, status: 200 },
    { text: "bytes", headers: { "content-type": "image/png" } },
  );
}

function servesAnybody(route: string): Mutant {
  return altersAnswer(
    "serves anybody",
    { from: "peer-*", path: route, status: [401, 403] },
    { status: 200 },
  );
}

check(
  "FED.media.download",
  "the server serves its media in two parts to servers that say who they are",
  { mutant: [sendsPlainBytes(`${MEDIA}/download/*`), servesAnybody(`${MEDIA}/download/*`)] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    // Bytes that are no text, and some that look like what parts them.
    const bytes = Buffer.from([0, 255, 13, 10, 45, 45, 13, 10, 13, 10, 128]);
    const mediaId = await upload(alice, bytes, "application/x-crucible");
    const client = peer.client();

    const response = await client.media(mediaId);
    const unsigned = await client.request(
      "GET",
      path`/_matrix/federation/v1/media/download/${mediaId}`,
      {
        auth: { header: () => null },
      },
    );

    const media = mediaIn(response);
    if (media !== undefined) {
      const type = media.headers.get("content-type");
      expectEqual(type, "application/x-crucible", "the type of the media", response);
      expectEqual(media.body.toString("hex"), bytes.toString("hex"), "the media", response);
    }
    expectMatrixError(unsigned, [401, 403]);
  },
);

check(
  "FED.media.download",
  "the server serves thumbnails of its media in two parts to servers that say who they are",
  { mutant: [sendsPlainBytes(`${MEDIA}/thumbnail/*`), servesAnybody(`${MEDIA}/thumbnail/*`)] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const mediaId = await upload(alice, png(640, 480), "image/png");
    const client = peer.client();
    const target = path`/_matrix/federation/v1/media/thumbnail/${mediaId}`;
    const query = { width: 96, height: 96, method: "crop" };

    const response = await client.request("GET", target, { query });
    const unsigned = await client.request("GET", target, { query, auth: { header: () => null } });

    const media = mediaIn(response);
    if (media !== undefined) {
      const type = media.headers.get("content-type") ?? "no content type";
      expectThat(type.startsWith("image/"), "an image", type, response);
      const size = imageSize(media.body);
      expectThat(size !== undefined && size.width < 640, "a smaller image", size, response);
    }
    expectMatrixError(unsigned, [401, 403]);
  },
);

/** What the peer was asked for after a user has asked for media of it that it does not give. */
async function askedAfter(
  world: World,
  refusal: Handler,
): Promise<{ readonly federation: number; readonly legacy: readonly PeerRequest[] }> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const mediaId = world.name("media");
  peer.on("GET /_matrix/federation/v1/media/download/{mediaId}", refusal);
  for (const version of ["v1", "r0", "v3"]) {
    const route = `GET ${LEGACY}${version}/download/{serverName}/{mediaId}`;
    peer.on(route, refused(404, "M_NOT_FOUND"));
  }
  const target = path`/_matrix/client/v1/media/download/${peer.serverName}/${mediaId}`;

  const response = await alice.get(target, { timeout_ms: 10_000 });

  expectThat(response.status >= 400, "no media", response.status, response);
  return {
    federation: requestsOf(peer, `${MEDIA}/download/`).length,
    legacy: requestsOf(peer, LEGACY),
  };
}

function requestsOf(peer: Peer, prefix: string): readonly PeerRequest[] {
  return peer.requests.items.filter((request) => request.path.startsWith(prefix));
}

const ASKS_LEGACY: Mutant = altersRequest(
  "asks at the old place, which may ask others in turn",
  { to: "peer-*", path: `${MEDIA}/download/*` },
  { path: `${LEGACY}v3/download/peer/media` },
);

check(
  "FED.media.fallback",
  "the server asks at the old place, if at all, without leave to ask others",
  { mutant: ASKS_LEGACY },
  async (world) => {
    const { federation, legacy } = await askedAfter(world, refused(404, "M_UNRECOGNIZED"));

    expectThat(federation >= 1, "a request to the endpoint of servers", federation);
    for (const { uri, query } of legacy) {
      expectEqual(query.get("allow_remote"), "false", `allow_remote of ${uri}`);
    }
  },
);

check(
  "FED.media.fallback",
  "the server does not ask at the old place for media that there is not, or that is refused",
  { mutant: ASKS_LEGACY },
  async (world) => {
    for (const refusal of [refused(404, "M_NOT_FOUND"), refused(403, "M_FORBIDDEN")]) {
      const { federation, legacy } = await askedAfter(world, refusal);

      expectThat(federation >= 1, "a request to the endpoint of servers", federation);
      expectEqual(
        legacy.map(({ uri }) => uri),
        [],
        "the requests at the old place",
      );
    }
  },
);
