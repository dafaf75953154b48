/**
 * A real API server with its etcd, out of the folder that KUBEBUILDER_ASSETS names (as envtest has it: `etcd`,
 * `kube-apiserver`), with the CRDs of Chaos Mesh. Nothing runs pods there: see node-for-specs.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { meshDefinitions } from "./schemas-for-specs.ts";

export const { KUBEBUILDER_ASSETS: assets } = process.env;

const LOOPBACK = "127.0.0.1";
const START_MS = 90_000;

export interface ApiServer extends AsyncDisposable {
  readonly kubeconfig: string;
  /** Certificate and key that it made for itself, PEM: good for any server that it does not verify. */
  readonly tls: { readonly cert: string; readonly key: string };
}

/** From now on it is also what KUBECONFIG of this process names. */
export async function startApiServer(): Promise<ApiServer> {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  const children: ChildProcess[] = [];
  const launch = (program: string, args: readonly string[]) => {
    const log = openSync(path.join(folder, `${program}.log`), "a");
    const file = path.join(assets ?? "", program);
    const child = spawn(file, args, { cwd: folder, stdio: ["ignore", log, log] });
    closeSync(log);
    children.unshift(child);
  };
  const stop = async () => {
    for (const child of children) {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const [store, peers, port] = [await freePort(), await freePort(), await freePort()];
  const token = randomBytes(16).toString("hex");
  const file = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    return path.join(folder, name);
  };
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = file("accounts.key", String(privateKey.export({ type: "pkcs8", format: "pem" })));
  const urls = (at: number) => `http://${LOOPBACK}:${at}`;
  launch("etcd", [
    `--data-dir=${folder}/etcd`,
    `--listen-client-urls=${urls(store)}`,
    `--advertise-client-urls=${urls(store)}`,
    `--listen-peer-urls=${urls(peers)}`,
    `--initial-advertise-peer-urls=${urls(peers)}`,
    `--initial-cluster=default=${urls(peers)}`,
  ]);
  launch("kube-apiserver", [
    `--etcd-servers=${urls(store)}`,
    `--bind-address=${LOOPBACK}`,
    `--advertise-address=${LOOPBACK}`,
    `--secure-port=${port}`,
    `--cert-dir=${folder}/certificates`,
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--token-auth-file=${file("tokens.csv", `${token},admin,admin,system:masters\n`)}`,
    "--authorization-mode=RBAC",
    "--service-cluster-ip-range=10.0.0.0/24",
    // Accounts are made by a controller, and there is none.
    "--disable-admission-plugins=ServiceAccount",
  ]);
  const cluster = { server: `https://${LOOPBACK}:${port}`, "insecure-skip-tls-verify": true };
  const kubeconfig = file(
    "kubeconfig",
    stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "spec",
      clusters: [{ name: "spec", cluster }],
      users: [{ name: "admin", user: { token } }],
      contexts: [{ name: "spec", context: { cluster: "spec", user: "admin" } }],
    }),
  );
  process.env.KUBECONFIG = kubeconfig;
  try {
    await install();
  } catch (error) {
    await stop();
    throw error;
  }
  const pem = (name: string) => readFileSync(path.join(folder, "certificates", name), "utf8");
  return {
    kubeconfig,
    tls: { cert: pem("apiserver.crt"), key: pem("apiserver.key") },
    [Symbol.asyncDispose]: stop,
  };
}

/** Waits until it takes the CRDs, and knows what they define. */
async function install(): Promise<void> {
  const deadline = Date.now() + START_MS;
  const definitions = await meshDefinitions();
  for (;;) {
    try {
      const cluster = await Cluster.connect();
      // It makes this namespace by itself, a moment after it answers.
      await cluster.api.core.readNamespace({ name: "default" });
      for (const definition of definitions) {
        const object = structuredClone(definition) as object;
        await cluster.api.objects.create(object).catch((error: { code?: number }) => {
          if (error.code !== 409) throw error;
        });
      }
      if (definitions.length === 0) return;
      if (await cluster.knows("chaos-mesh.org/v1alpha1", "TimeChaos", "default")) return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error("the API server does not know Chaos Mesh in time");
    await sleep(500);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
