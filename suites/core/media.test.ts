import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { imageSize, png } from "#harness/match/png";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const UPLOAD = "/_matrix/media/v3/upload";
const DOWNLOAD = "/_matrix/client/v1/media/download/**";
const THUMBNAIL = "/_matrix/client/v1/media/thumbnail/**";

interface Media {
  readonly server: string;
  readonly id: string;
}

async function upload(
  session: Session,
  raw: string | Uint8Array,
  type: string,
  filename?: string,
): Promise<Media> {
  const response = await session.request("POST", UPLOAD, {
    raw,
    headers: { "content-type": type },
    query: { filename },
  });
  return parseUri(textAt(ok(response), "content_uri"));
}

function parseUri(uri: string): Media {
  const [, server, id] = /^mxc:\/\/([^/]+)\/([A-Za-z0-9_-]+)$/.exec(uri) ?? [];
  if (server === undefined || id === undefined) fail("mxc://server/id", uri);
  return { server, id };
}

function download(session: Session, { server, id }: Media, query = {}) {
  return session.get(path`/_matrix/client/v1/media/download/${server}/${id}`, query);
}

function thumbnail(
  session: Session,
  { server, id }: Media,
  query: Record<string, string | number>,
) {
  return session.get(path`/_matrix/client/v1/media/thumbnail/${server}/${id}`, query);
}

check(
  "CS.media.roundtrip",
  "uploads come back byte for byte with type and name",
  {
    mutant: [
      altersAnswer(
        "changes bytes",
        { path: DOWNLOAD, status: 200 },
        { replace: [["crucible", "cruxible"]] },
      ),
      altersAnswer(
        "loses the type",
        { path: DOWNLOAD, status: 200 },
        { headers: { "content-type": "application/octet-stream" } },
      ),
      altersAnswer(
        "loses the file name",
        { path: DOWNLOAD, status: 200 },
        { headers: { "content-disposition": "inline" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const bytes = `crucible \u0000\u00ff ${world.name("bytes")}`;

    for (const name of ["plain.txt", "h\u00e4user \u2615.txt", undefined]) {
      const media = await upload(alice, Buffer.from(bytes), "text/plain", name);
      expectEqual(media.server, alice.server.serverName, "server of content_uri");
      const response = await download(alice, media);

      expectStatus(response, 200);
      expectEqual(
        response.bytes.toString("hex"),
        Buffer.from(bytes).toString("hex"),
        "bytes",
        response,
      );
      expectThat(
        /^text\/plain(;|$)/.test(String(response.headers["content-type"])),
        "Content-Type text/plain",
        response.headers["content-type"],
        response,
      );
      const disposition = decodeURIComponent(String(response.headers["content-disposition"] ?? ""));
      if (name !== undefined) {
        expectThat(
          disposition.includes(name),
          `${name} in Content-Disposition`,
          disposition,
          response,
        );
      }
    }
    const media = await upload(alice, bytes, "text/plain", "a.txt");
    const named = await alice.get(
      path`/_matrix/client/v1/media/download/${media.server}/${media.id}/${"other.txt"}`,
    );
    expectStatus(named, 200);
    const disposition = String(named.headers["content-disposition"] ?? "");
    expectThat(
      disposition.includes("other.txt"),
      "the path's file name in Content-Disposition",
      disposition,
      named,
    );
  },
);

check(
  "CS.media.auth",
  "download, thumbnail, config, preview and upload need a token",
  {
    mutant: {
      name: "serves media without a token",
      rules: [
        {
          match: { path: DOWNLOAD, status: 401 },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            text: "content",
            headers: { "content-type": "text/plain" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const { server, id } = await upload(alice, png(4, 4), "image/png");
    const anonymous = world.anonymous();

    const answers = [
      await anonymous.get(path`/_matrix/client/v1/media/download/${server}/${id}`),
      await anonymous.get(path`/_matrix/client/v1/media/thumbnail/${server}/${id}`, {
        width: 32,
        height: 32,
      }),
      await anonymous.get("/_matrix/client/v1/media/config"),
      await anonymous.request("POST", UPLOAD, {
        raw: "x",
        headers: { "content-type": "text/plain" },
      }),
    ];
    if (world.has("url-preview")) {
      answers.push(
        await anonymous.get("/_matrix/client/v1/media/preview_url", { url: "http://127.0.0.1/" }),
      );
    }

    for (const answer of answers) expectMatrixError(answer, 401, "M_MISSING_TOKEN");
  },
);

check(
  "CS.media.legacy-frozen",
  "the unauthenticated endpoints do not serve new media",
  {
    mutant: {
      name: "serves new media without a token",
      rules: [
        {
          match: { path: "/_matrix/media/v3/download/**" },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            text: "content",
            headers: { "content-type": "text/plain" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const { server, id } = await upload(alice, "secret", "text/plain");

    const response = await world.anonymous().get(path`/_matrix/media/v3/download/${server}/${id}`);

    expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.media.safe-headers",
  "dangerous types are attachments and sandboxing headers are set",
  {
    mutant: [
      altersAnswer(
        "shows HTML inline",
        { path: DOWNLOAD, status: 200 },
        { headers: { "content-disposition": "inline" } },
      ),
      altersAnswer(
        "sets no Content-Security-Policy",
        { path: DOWNLOAD, status: 200 },
        { headers: { "content-security-policy": null } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const page = await upload(alice, "<script>alert(1)</script>", "text/html", "page.html");
    const picture = await upload(alice, png(4, 4), "image/png", "picture.png");

    const html = await download(alice, page);
    const image = await download(alice, picture);

    expectStatus(html, 200);
    const isHtml = String(html.headers["content-type"]).startsWith("text/html");
    const disposition = String(html.headers["content-disposition"] ?? "");
    expectThat(
      !isHtml || disposition.startsWith("attachment"),
      "text/html as an attachment",
      disposition,
      html,
    );
    for (const response of [html, image]) {
      for (const name of ["content-security-policy", "cross-origin-resource-policy"]) {
        expectThat(
          response.headers[name] !== undefined,
          `the header ${name}`,
          "no such header",
          response,
        );
      }
    }
  },
);

check(
  "CS.media.not-found",
  "unknown media answers 404",
  {
    mutant: altersAnswer(
      "answers 500 for unknown media",
      { path: DOWNLOAD, status: 404 },
      { status: 500 },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const unknown = { server: alice.server.serverName, id: "doesNotExist" };

    expectMatrixError(await download(alice, unknown), 404, "M_NOT_FOUND");
    expectMatrixError(
      await thumbnail(alice, unknown, { width: 32, height: 32 }),
      404,
      "M_NOT_FOUND",
    );
  },
);

check(
  "CS.media.path-sanitised",
  "server names and media ids that are paths are refused",
  {
    mutant: {
      name: "serves a file for a path",
      rules: [
        {
          match: { path: DOWNLOAD },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            text: "root:x:0:0",
            headers: { "content-type": "text/plain" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const own = alice.server.serverName;
    const up = "../".repeat(6);

    for (const [server, id] of [
      [own, `${up}etc/passwd`],
      [`${up}etc`, "passwd"],
      [own, "/etc/passwd"],
    ]) {
      for (const response of [
        await alice.get(path`/_matrix/client/v1/media/download/${server ?? ""}/${id ?? ""}`),
        await alice.get(path`/_matrix/client/v1/media/thumbnail/${server ?? ""}/${id ?? ""}`, {
          width: 32,
          height: 32,
        }),
      ]) {
        expectThat(response.status >= 400, "a refusal", `status ${response.status}`, response);
        expectThat(
          !response.text.includes("root:"),
          "no file content",
          "the content of /etc/passwd",
          response,
        );
        if (response.status >= 500)
          world.note(`status ${response.status}: counted by CS.error.no-5xx-on-input`);
      }
    }
  },
);

check(
  "CS.media.thumbnail",
  "thumbnails keep the aspect and are never larger than the original",
  {
    mutant: {
      name: "answers with another image",
      rules: [
        {
          match: { path: THUMBNAIL, contains: "method=scale", status: 200 },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            text: "no image",
            headers: { "content-type": "image/png" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const wide = await upload(alice, png(200, 100), "image/png");
    const dot = await upload(alice, png(1, 1), "image/png");

    const scaled = await thumbnail(alice, wide, { width: 64, height: 64, method: "scale" });
    const cropped = await thumbnail(alice, wide, { width: 32, height: 32, method: "crop" });
    const tiny = await thumbnail(alice, dot, { width: 32, height: 32, method: "scale" });

    for (const response of [scaled, cropped, tiny]) {
      expectStatus(response, 200);
      const type = String(response.headers["content-type"]);
      expectThat(type.startsWith("image/"), "an image type", type, response);
    }
    const size = imageSize(scaled.bytes);
    expectThat(size !== undefined, "an image", `${scaled.bytes.length} other bytes`, scaled);
    expectThat(
      size.width <= 200 && size.height <= 100,
      "an image no larger than 200x100",
      size,
      scaled,
    );
    expectThat(
      Math.abs(size.width - 2 * size.height) <= 2,
      "an image twice as wide as high",
      size,
      scaled,
    );
    const crop = imageSize(cropped.bytes);
    expectThat(
      crop !== undefined && Math.abs(crop.width - crop.height) <= 1,
      "a square image",
      crop,
      cropped,
    );
    expectThat(crop.width >= 32, "at least 32x32", crop, cropped);
    expectEqual(
      imageSize(tiny.bytes),
      { width: 1, height: 1 },
      "size of the 1x1 image's thumbnail",
      tiny,
    );
  },
);

check(
  "CS.media.thumbnail-errors",
  "missing and invalid dimensions and types without thumbnail are refused",
  {
    mutant: {
      name: "answers a missing width with a default",
      rules: [
        {
          match: { path: THUMBNAIL, status: 400 },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            text: "image",
            headers: { "content-type": "image/png" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const picture = await upload(alice, png(40, 40), "image/png");
    const text = await upload(alice, "no picture", "text/plain");

    expectMatrixError(await thumbnail(alice, picture, { height: 32 }), 400);
    expectMatrixError(await thumbnail(alice, picture, { width: -1, height: 32 }), 400);
    expectMatrixError(await thumbnail(alice, text, { width: 32, height: 32 }), [400, 404]);
  },
);

check(
  "CS.media.limit",
  "the limit of media/config is enforced",
  {
    mutant: claims(
      "takes what is too large",
      { method: "POST", path: UPLOAD },
      { content_uri: "mxc://hs1/claimed" },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const config = ok(await alice.get("/_matrix/client/v1/media/config"));
    const limit = config["m.upload.size"];
    if (limit === undefined) {
      world.note("the server names no limit");
      return;
    }
    expectThat(Number.isSafeInteger(limit), "m.upload.size to be an integer", limit);
    const size = Number(limit);
    if (size > 100_000_000) {
      world.note(`a limit of ${size} bytes is not tried`);
      return;
    }

    const response = await alice
      .request("POST", UPLOAD, {
        raw: Buffer.alloc(size + 1, 0x61),
        headers: { "content-type": "text/plain" },
      })
      .catch((error: Error) => error);

    if (response instanceof Error) {
      // The server has stopped reading: its refusal was lost together with the connection.
      ok(await alice.get("/_matrix/client/v3/account/whoami"));
      world.note("the connection was closed before the body was read");
    } else expectMatrixError(response, 413, "M_TOO_LARGE");
  },
);

check(
  "CS.media.async",
  "a reserved id is filled once, by its creator, and waits until then",
  {
    mutant: [
      {
        name: "lets others fill it",
        rules: [
          {
            match: { method: "PUT", path: "/_matrix/media/v3/upload/*/*", status: 403 },
            phase: "processed",
            action: { kind: "answer", status: 200, body: {} },
          },
        ],
      },
      {
        name: "lets it be overwritten",
        rules: [
          {
            match: { method: "PUT", path: "/_matrix/media/v3/upload/*/*", status: 409 },
            phase: "processed",
            action: { kind: "answer", status: 200, body: {} },
          },
        ],
      },
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const created = ok(await alice.post("/_matrix/media/v1/create"));
    const media = parseUri(textAt(created, "content_uri"));
    const fill = (session: Session, { server, id }: Media, raw = "content") =>
      session.request("PUT", path`/_matrix/media/v3/upload/${server}/${id}`, {
        raw,
        headers: { "content-type": "text/plain" },
      });

    expectMatrixError(await download(alice, media, { timeout_ms: 500 }), 504, "M_NOT_YET_UPLOADED");
    expectMatrixError(await fill(mallory, media), 403, "M_FORBIDDEN");
    expectStatus(await fill(alice, media), 200);
    expectMatrixError(await fill(alice, media, "other"), 409, "M_CANNOT_OVERWRITE_MEDIA");
    expectMatrixError(await fill(alice, { server: media.server, id: "doesNotExist" }), 404);
    const response = await download(alice, media);
    expectStatus(response, 200);
    expectEqual(response.text, "content", "content", response);
  },
);

check(
  "CS.media.preview",
  "previews of private addresses are refused",
  {
    mutant: {
      name: "fetches any address",
      rules: [
        {
          match: { path: "/_matrix/client/v1/media/preview_url" },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { "og:title": "internal" } },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.get("/_matrix/client/v1/media/preview_url", {
      url: "http://169.254.169.254/",
    });

    expectThat(response.status >= 400, "a refusal", String(response.status), response);
    expectEqual(at(response.json, "og:title"), undefined, "og:title", response);
  },
);
