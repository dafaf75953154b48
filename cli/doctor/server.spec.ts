import { createServer } from "node:net";
import { expect, test } from "vitest";
import { probeCleanUp } from "./server.ts";

test("a port that still answers after the servers were stopped is left behind", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const addresses = new Map([["hs1", { host: "127.0.0.1", port }]]);

  const [left] = await probeCleanUp([], addresses, "no-such-run");
  await new Promise((resolve) => server.close(resolve));
  const [clean] = await probeCleanUp([], addresses, "no-such-run");

  expect(left).toMatchObject({ state: "fail", detail: `left behind: hs1 at 127.0.0.1:${port}` });
  expect(clean).toMatchObject({ state: "ok" });
});
