/** The API of a cluster, by the official client, which is loaded only where a cluster is asked for. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import type * as Client from "@kubernetes/client-node";
import { describe, HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

type Library = typeof Client;
type Settings = NonNullable<Parameters<Library["createConfiguration"]>[0]>;

const PACKAGE = "@kubernetes/client-node";
/** The one that our specs run on. */
const PACKAGE_VERSION = "2.0.1";

/** Of one request; whoever waits for something asks again. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface Api {
  readonly library: Library;
  readonly config: Client.KubeConfig;
  readonly objects: Client.KubernetesObjectApi;
  readonly core: Client.CoreV1Api;
  /** The context's name and the cluster's version, for people. */
  readonly title: string;
}

/**
 * The cluster of this context, or of the kubeconfig's current one, once it has answered.
 *
 * @throws HarnessError NO_CLUSTER; BAD_CONFIG when there is no such context
 */
export async function connectCluster(context?: string): Promise<Api> {
  if (!hasKubeconfig()) throw noCluster("no cluster is configured", "there is no ~/.kube/config");
  const library = await load();
  const config = new library.KubeConfig();
  try {
    config.loadFromDefault();
  } catch (cause) {
    throw noCluster("the kubeconfig can not be read", describe(cause), cause);
  }
  if (context !== undefined) choose(config, context);
  const name = config.getCurrentContext();
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw noCluster("no cluster is configured", `context ${name}`);
  let version: string | undefined;
  try {
    const api = library.createConfiguration(
      settingsFor(library, config, server, CONNECT_TIMEOUT_MS),
    );
    version = (await new library.VersionApi(api).getCode()).gitVersion;
  } catch (cause) {
    throw noCluster(`no cluster answers at ${server}`, reasonOf(cause), cause);
  }
  // Anything may listen where a kubeconfig points, or where the client looks when there is none.
  if (version === undefined) throw noCluster(`no cluster answers at ${server}`, "another service");
  const common = library.createConfiguration(
    settingsFor(library, config, server, REQUEST_TIMEOUT_MS),
  );
  return {
    library,
    config,
    objects: new library.KubernetesObjectApi(common),
    core: new library.CoreV1Api(common),
    title: `${name} (Kubernetes ${version})`,
  };
}

/** Whether any cluster is configured: the client asks one on this machine's port 8080 else. */
export function hasKubeconfig(): boolean {
  const { KUBECONFIG = "", KUBERNETES_SERVICE_HOST } = process.env;
  return (
    KUBECONFIG !== "" ||
    KUBERNETES_SERVICE_HOST !== undefined ||
    existsSync(path.join(homedir(), ".kube/config"))
  );
}

async function load(): Promise<Library> {
  try {
    return await import("@kubernetes/client-node");
  } catch (cause) {
    throw new HarnessError("NO_CLUSTER", {
      what: `the client for Kubernetes, ${PACKAGE}, is not installed`,
      facts: [describe(cause).split("\n")[0] ?? ""],
      next: `npm install ${PACKAGE}@${PACKAGE_VERSION}, which crucible does not bring along since few need it`,
      cause,
    });
  }
}

function choose(config: Client.KubeConfig, context: string): void {
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    throw new HarnessError("BAD_CONFIG", {
      what: `the kubeconfig has no context ${context}`,
      next: didYouMean(context, known),
    });
  }
  config.setCurrentContext(context);
}

function settingsFor(
  library: Library,
  config: Client.KubeConfig,
  server: string,
  timeoutMs: number,
): Settings {
  return {
    baseServer: new library.ServerConfiguration(server, {}),
    authMethods: { default: config },
    promiseMiddleware: [
      {
        pre: async (request) => {
          request.setSignal(AbortSignal.timeout(timeoutMs));
          // A field that the cluster does not know is a mistake of ours, and not to be dropped in silence.
          if (request.getHttpMethod() === "POST")
            request.setQueryParam("fieldValidation", "Strict");
          return request;
        },
        post: async (response) => response,
      },
    ],
  };
}

function noCluster(what: string, fact: string, cause?: unknown): HarnessError {
  return new HarnessError("NO_CLUSTER", {
    what,
    facts: [`KUBECONFIG is ${process.env.KUBECONFIG || "not set"}`, fact],
    next: "point KUBECONFIG at a cluster, or name a context of it: kubernetes:<image>,context=…",
    cause,
  });
}

/** What the cluster says of a request that it refused, in its own words. */
export function reasonOf(error: unknown): string {
  const { body } = error as { body?: unknown };
  if (typeof body === "object" && body !== null && "message" in body) return String(body.message);
  if (typeof body === "string") {
    const [, message = body] = /"message":"((?:[^"\\]|\\.)*)"/.exec(body) ?? [];
    return message.split("\n")[0] ?? "";
  }
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? describe(error) : `${describe(error)}: ${describe(cause)}`;
}

/** HTTP status that the cluster refused a request with. */
export function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code : undefined;
}
