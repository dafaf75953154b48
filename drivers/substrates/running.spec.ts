import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { addressOf, requireAnswer } from "./running.ts";

test.each([
  ["http://a.example", { host: "a.example", port: 80 }],
  ["ws://127.0.0.1:7880", { host: "127.0.0.1", port: 7880 }],
  ["https://a.example/b", { host: "a.example", port: 443, tlsName: "a.example", trust: "machine" }],
  ["wss://a.example:1", { host: "a.example", port: 1, tlsName: "a.example", trust: "machine" }],
])("tells how %s is reached", (url, address) => {
  expect(addressOf(new URL(url))).toEqual(address);
});

test("refuses what does not answer, and what answers that there is no such thing", async () => {
  await using server = createServer((request, response) => {
    response.writeHead(request.url === "/there" ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await requireAnswer("hs1", `${base}/there`);
  await expect(requireAnswer("hs1", `${base}/here`)).rejects.toThrow(
    `hs1 does not answer GET ${base}/here\n  status 404`,
  );
  await expect(requireAnswer("hs1", "http://127.0.0.1:9/")).rejects.toThrow("ECONNREFUSED");
});
