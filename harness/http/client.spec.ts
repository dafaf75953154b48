import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CertificateAuthority } from "#harness/gateway/ca";
import { Gateway } from "#harness/gateway/gateway";
import { createClient, path } from "./client.ts";

/** A server that answers each path with another kind of trouble; raw sockets, since no library would send it. */
const TROUBLES: Readonly<Record<string, (socket: Socket) => void>> = {
  "/html": (socket) => {
    socket.end(
      "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>oh</html>",
    );
  },
  "/page": (socket) => {
    const shown = `<p>ABCD-EFGH</p>${" ".repeat(5_000)}`;
    const body = `${shown}<input name="user_code" value="ABCD-EFGH">`;
    socket.end(
      `HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  },
  "/invalid-json": (socket) => {
    socket.end(
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{"a":nop',
    );
  },
  "/no-http": (socket) => {
    socket.end("hello?\r\n\r\n");
  },
  "/hangs": () => undefined,
  "/endless-headers": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const line = `x-filler: ${"y".repeat(1000)}\r\n`;
    for (let count = 0; count < 1000; count++) socket.write(line);
  },
  "/large": (socket) => {
    socket.write(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 209715200\r\n\r\n",
    );
    const chunk = Buffer.alloc(1024 * 1024, 0x20);
    let left = 200;
    const more = () => {
      while (left-- > 0) if (!socket.write(chunk)) return;
    };
    socket.on("drain", more);
    more();
  },
  "/cut": (socket) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":');
  },
};

let server: Server;
let gateway: Gateway;
let baseUrl: string;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (head) => TROUBLES[head.toString().split(" ")[1] ?? ""]?.(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  gateway = new Gateway({
    name: "spec",
    ca: await CertificateAuthority.create("spec"),
    record: () => undefined,
  });
  baseUrl = (await gateway.addServer("hs1")).clientUrl;
  gateway.connect("hs1", { client: () => address, federation: () => address });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  server.close();
});

test("what is no JSON is an answer without json, not an error", async () => {
  const client = createClient({ baseUrl });
  const html = await client.request("GET", "/html");
  expect(html).toMatchObject({ status: 200, json: undefined, text: "<html>oh</html>" });
  expect((await client.request("GET", "/invalid-json")).json).toBeUndefined();
});

test("a long body is cut off, and has no secret that only the rest tells", async () => {
  const response = await createClient({ baseUrl }).request("GET", "/page");

  expect(response.text).toContain("ABCD-EFGH");
  expect(response.describe()).toMatch(/<p><scrubbed><\/p> +… \(\d+ characters\)$/);
});

test.each([
  ["/no-http", /GET \/no-http/],
  ["/hangs", /no answer within 500 ms/],
  ["/endless-headers", /GET \/endless-headers/],
  ["/large", /larger than/],
  ["/cut", /GET \/cut/],
])("%s is a clear error, within the deadline", async (target, message) => {
  const client = createClient({ baseUrl, timeoutMs: target === "/large" ? 30_000 : 500 });
  await expect(client.request("GET", target)).rejects.toMatchObject({
    code: "HS_NO_ANSWER",
    message: expect.stringMatching(message),
  });
});

test("a refused connection is a clear error", async () => {
  const client = createClient({ baseUrl: "http://127.0.0.1:9" });
  await expect(client.request("GET", "/x")).rejects.toMatchObject({ code: "HS_NO_ANSWER" });
});

test("a request that is cancelled ends at once", async () => {
  const cancelled = new AbortController();
  const request = createClient({ baseUrl }).request("GET", "/hangs", { signal: cancelled.signal });
  cancelled.abort();
  await expect(request).rejects.toMatchObject({
    code: "HS_NO_ANSWER",
    message: expect.stringContaining("cancelled"),
  });
});

test("path encodes its parts", () => {
  expect(path`/rooms/${"!a:b"}/send/${"m/x"}`).toBe("/rooms/!a%3Ab/send/m%2Fx");
});
