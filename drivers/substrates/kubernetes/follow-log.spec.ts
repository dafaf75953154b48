/** A log that is still being written when nobody wants it any more. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import * as library from "@kubernetes/client-node";
import { expect, test, vi } from "vitest";
import type { Api } from "./client.ts";
import { followLog } from "./follow-log.ts";

test("a log that is followed can be left while it is open", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  const file = path.join(folder, "hs1.log");
  const closed = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    response.on("close", closed.resolve);
    response.write("a line of the log\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const config = new library.KubeConfig();
  config.loadFromClusterAndUser(
    { name: "spec", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: "admin" },
  );
  const uncaught = vi.fn();
  process.once("uncaughtException", uncaught);

  const place = { namespace: "team", name: "hs1", container: "homeserver" };
  const log = await followLog({ library, config } as Api, place, file);
  await vi.waitFor(() => expect(readFileSync(file, "utf8")).toBe("a line of the log\n"), 10_000);
  log.stop();
  await closed.promise;
  await new Promise((resolve) => setImmediate(resolve));

  process.off("uncaughtException", uncaught);
  expect(uncaught).not.toHaveBeenCalled();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
