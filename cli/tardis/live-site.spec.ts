import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type OutgoingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Feed } from "./feed.ts";
import { type LiveSite, openLiveSite } from "./live-site.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-live-"));
const feed = new Feed();
const commands: unknown[] = [];
let site: LiveSite;
let base: URL;
let token: string;

beforeAll(async () => {
  site = await openLiveSite({
    feed,
    port: 0,
    act: async (command) => {
      commands.push(command);
      if (command === "boom") throw new Error("no such thing");
      return "done it";
    },
  });
  base = new URL(site.url);
  token = base.searchParams.get("token") ?? "";
});
afterAll(async () => {
  await feed[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  commands.length = 0;
});

interface Asked {
  readonly where?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly token?: string | undefined;
}

/** @param until the answer is taken for whole when it has this; its end unless given */
function ask(
  { where = "/do", method = "POST", headers = {}, body, token: given = token }: Asked,
  until?: string,
): Promise<{ status: number | undefined; headers: OutgoingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const all = { "content-type": "application/json", ...headers };
    const url = new URL(`${where}?token=${given}`, base);
    const asked = request(url, { method, headers: all }, (response) => {
      let text = "";
      const done = () => {
        resolve({ status: response.statusCode, headers: response.headers, body: text });
        response.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        text += chunk;
        if (until !== undefined && text.includes(until)) done();
      });
      response.on("end", done);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const command = { body: '{"do":"check"}' };

test("a command with the token is done, and a page may be from nowhere but here", async () => {
  const own = await ask({ ...command, headers: { origin: base.origin } });

  expect(own).toMatchObject({ status: 200, body: '{"done":"done it"}' });
  expect(await ask(command)).toMatchObject({ status: 200 });
  expect(commands).toEqual([{ do: "check" }, { do: "check" }]);
});

test.for<readonly [string, number, Asked]>([
  ["without a token", 403, { token: "" }],
  ["with another token", 403, { token: "A".repeat(32) }],
  ["from another origin", 403, { headers: { origin: "https://evil.example" } }],
  ["from another port", 403, { headers: { origin: "http://127.0.0.1:1" } }],
  ["from a file", 403, { headers: { origin: "null" } }],
  ["of another site", 403, { headers: { "sec-fetch-site": "cross-site" } }],
  ["to another name", 403, { headers: { host: "evil.example" } }],
  ["to another port", 403, { headers: { host: "127.0.0.1:1" } }],
  ["that a form can send", 415, { headers: { "content-type": "text/plain" } }],
  ["by GET", 405, { method: "GET" }],
  ["that is no JSON", 400, { body: "{" }],
  ["that is refused", 400, { body: '"boom"' }],
  ["too long", 413, { body: JSON.stringify("x".repeat(1_000_000)) }],
])("a command %s is answered %s", async ([, status, asked]) => {
  const answer = await ask({ ...command, ...asked });

  expect(answer.status).toBe(status);
  expect(answer.body).not.toContain("done it");
  expect(commands).toEqual(asked.body === '"boom"' ? ["boom"] : []);
});

test("neither the page nor the stream is for who has no token, and the page may ask its own server only", async () => {
  const file = path.join(folder, "run");
  writeFileSync(file, '{"t":"note"}\n');
  feed.begin("run", file);
  for (const where of ["/", "/events"]) {
    const refused = await ask({ where, method: "GET", token: "" });
    expect(refused.status, where).toBe(403);
    expect(refused.body).not.toContain(token);
  }

  const page = await ask({ where: "/", method: "GET" });
  const stream = await ask({ where: "/events", method: "GET" }, "note");

  expect(page.body).toContain("default-src 'none'; connect-src 'self';");
  expect(page.headers["access-control-allow-origin"]).toBeUndefined();
  expect(stream.headers["content-type"]).toBe("text/event-stream");
  expect(stream.body).toContain(String.raw`data: "{\"t\":\"note\"}\n"`);
  expect(await ask({ where: "/etc", method: "GET" })).toMatchObject({ status: 404 });
});
