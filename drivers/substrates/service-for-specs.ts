/** What specs of services put around them: what their driver is told whatever they are, and listeners in the stead of others. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { ServiceStartContext } from "#harness/deployment/service-contract";

/** In a folder that goes with the stack. */
export function contextForSpecs(
  stack: AsyncDisposableStack,
  role: string,
  spec: ServerSpec,
): ServiceStartContext {
  const folder = mkdtempSync(path.join(tmpdir(), `crucible-${role}-`));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  return {
    runId: "spec",
    role,
    name: `spec-${role}`,
    spec,
    workFolder: path.join(folder, role),
    logFile: path.join(folder, `${role}.log`),
    startTimeoutMs: 30_000,
    signal: new AbortController().signal,
    progress: () => undefined,
    registerProcess: () => undefined,
    onUnexpectedExit: () => undefined,
  };
}

/** Its base URL, which ends in a slash. It ends with the stack. */
export async function listenForSpecs(
  stack: AsyncDisposableStack,
  listener: RequestListener,
): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** An object without anything when there is no body. */
export async function jsonOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === "" ? {} : JSON.parse(text);
}
