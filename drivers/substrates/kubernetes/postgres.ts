/** PostgreSQL beside a homeserver, with a password of its own. */
import { randomBytes } from "node:crypto";
import type { Workload } from "./workload.ts";

/** The official image; any that reads the same variables will do. */
export const POSTGRES_IMAGE = "postgres:17";
const PORT = 5432;
const NAME = "homeserver";
/** Where the image declares a volume, since the runtime would put one of its own there, which is lost with the pod. */
const DATA_PATH = "/var/lib/postgresql/data";

export interface PostgresAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Beside the homeserver of this name, or of this role. */
export function postgresName(homeserver: string): string {
  return `${homeserver}-postgres`;
}

/** Its workload, how its homeserver reaches it, and how that waits until it answers. */
export function postgresFor(
  homeserver: Pick<Workload, "runId" | "namespace" | "name" | "role" | "storage" | "limits">,
  image: string,
): {
  readonly workload: Workload;
  readonly access: PostgresAccess;
  readonly waitsBy: NonNullable<Workload["waitsBy"]>;
} {
  const name = postgresName(homeserver.name);
  const password = randomBytes(16).toString("hex");
  const { runId, namespace, storage, limits } = homeserver;
  return {
    workload: {
      runId,
      namespace,
      name,
      role: postgresName(homeserver.role),
      component: "postgres",
      image,
      env: {
        POSTGRES_USER: NAME,
        POSTGRES_DB: NAME,
        // Below the volume: initdb refuses a folder that has `lost+found`.
        PGDATA: `${DATA_PATH}/files`,
        // Homeservers sort by bytes, and refuse a database that does not.
        POSTGRES_INITDB_ARGS: "--encoding=UTF8 --locale=C",
      },
      secretEnv: { POSTGRES_PASSWORD: password },
      ports: { postgres: PORT },
      ready: { command: ["pg_isready", "--username", NAME, "--dbname", NAME] },
      dataPath: DATA_PATH,
      storage,
      limits,
      // Only its homeserver talks to it.
      access: "port-forward",
    },
    access: { host: name, port: PORT, user: NAME, password, database: NAME },
    waitsBy: {
      image,
      command: ["sh", "-c", `until pg_isready --host ${name} --port ${PORT}; do sleep 1; done`],
    },
  };
}
