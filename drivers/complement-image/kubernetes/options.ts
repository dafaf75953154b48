/**
 * What `kubernetes:<image>[,option=value…]` says. Beside the options of `docker:<image>`: `namespace`, `context` (of the
 * kubeconfig), `database` (`volume`, or `postgres` with `postgres-image`), `storage` and `storage-class` (of volumes), `data`
 * (where the image keeps its data), `access` (`port-forward` or `node-port`), `gateway` (this machine as pods reach it).
 */
import { POSTGRES_IMAGE } from "#drivers/substrates/kubernetes/postgres";
import { ACCESS_WAYS, type Access, type Storage } from "#drivers/substrates/kubernetes/workload";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { type ImageOptions, imageOptions } from "../contract.ts";

const OPTIONS = [
  "namespace",
  "context",
  "database",
  "postgres-image",
  "storage",
  "storage-class",
  "data",
  "access",
  "gateway",
];
const DATABASES = ["volume", "postgres"] as const;

export interface ClusterOptions extends ImageOptions {
  readonly image: string;
  /** Undefined: one of the run's own, which is made and removed. */
  readonly namespace: string | undefined;
  /** Undefined: the kubeconfig's current one. */
  readonly context: string | undefined;
  /** Undefined: what the image has on its volume. */
  readonly postgresImage: string | undefined;
  readonly storage: Storage;
  readonly dataPath: string;
  readonly access: Access;
  readonly gateway: string | undefined;
}

/** @throws HarnessError BAD_USAGE, BAD_FILE */
export function clusterOptions(spec: ServerSpec): ClusterOptions {
  const { options, image = "", text } = spec;
  const common = imageOptions(spec, OPTIONS);
  const bad = (option: string, next: string) =>
    new HarnessError("BAD_USAGE", {
      what: `--hs ${text}: ${option} is ${options.get(option)}`,
      next,
    });
  const chosen = <Name extends string>(option: string, known: readonly Name[], byDefault: Name) => {
    const given = options.get(option) ?? byDefault;
    const name = known.find((one) => one === given);
    if (name === undefined) throw bad(option, didYouMean(given, known));
    return name;
  };
  const matching = (option: string, pattern: RegExp, next: string) => {
    const given = options.get(option);
    if (given !== undefined && !pattern.test(given)) throw bad(option, next);
    return given;
  };
  if (/^\.?\.?\//.test(image)) {
    throw new HarnessError("BAD_USAGE", {
      what: `--hs ${text}: a cluster builds no folders`,
      next: "build the image, push it to a registry that the cluster reads, and name it",
    });
  }
  const hasPostgres = chosen("database", DATABASES, "volume") === "postgres";
  if (!hasPostgres && options.has("postgres-image")) {
    throw bad("postgres-image", "add database=postgres");
  }
  return {
    ...common,
    image,
    namespace: matching(
      "namespace",
      /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
      "lower-case letters, digits and hyphens",
    ),
    context: options.get("context"),
    postgresImage: hasPostgres ? (options.get("postgres-image") ?? POSTGRES_IMAGE) : undefined,
    storage: {
      size: matching("storage", /^[1-9][0-9]*([KMGT]i?)?$/, "for example storage=2Gi") ?? "1Gi",
      className: options.get("storage-class"),
    },
    dataPath: matching("data", /^\/[^:]+$/, "an absolute path, such as data=/data") ?? "/data",
    access: chosen("access", ACCESS_WAYS, "port-forward"),
    gateway: matching(
      "gateway",
      /^[0-9.]+$|^[0-9a-f:]+$/i,
      "an address of this machine, not a name: pods reach it there, and the gateway listens on it",
    ),
  };
}
