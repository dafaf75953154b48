/** An image that honours Complement's contract, as what a cluster runs: with its database, certificates and configuration. */
import { stringify } from "yaml";
import type { Manifest } from "#drivers/substrates/kubernetes/manifest";
import { type PostgresAccess, postgresFor } from "#drivers/substrates/kubernetes/postgres";
import {
  type Limits,
  type Workload,
  workloadManifests,
} from "#drivers/substrates/kubernetes/workload";
import { authorityFiles, CLIENT_PORT, CONFIGURATION_FOLDER, FEDERATION_PORT } from "../contract.ts";
import type { ClusterOptions } from "./options.ts";

export const COMPONENT = "homeserver";

export interface HomeserverPlan {
  readonly runId: string;
  readonly namespace: string;
  /** Of what it has in the cluster; its role is its server name. */
  readonly name: string;
  readonly role: string;
  readonly options: ClusterOptions;
  readonly ca: { readonly certificate: string; readonly privateKey: string };
  readonly limits: Limits;
  readonly env?: Readonly<Record<string, string>>;
  /** What the user hands to all containers. */
  readonly userEnv?: Readonly<Record<string, string>>;
  /** Further files, by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly hosts?: Readonly<Record<string, string>>;
}

/** Of the database first, so that it can start meanwhile. */
export function homeserverManifests(plan: HomeserverPlan): readonly Manifest[] {
  const { postgresImage } = plan.options;
  const homeserver = workloadOf(plan);
  if (postgresImage === undefined) return workloadManifests(homeserver);
  const postgres = postgresFor(homeserver, postgresImage);
  return [
    ...workloadManifests(postgres.workload),
    ...workloadManifests({
      ...homeserver,
      // Synapse ends when it finds no database.
      waitsBy: postgres.waitsBy,
      files: {
        ...homeserver.files,
        [`${CONFIGURATION_FOLDER}/database.yaml`]: databaseSettings(postgres.access),
      },
    }),
  ];
}

function workloadOf(plan: HomeserverPlan): Workload {
  const { runId, namespace, name, role, options, ca, limits, files, hosts } = plan;
  return {
    runId,
    namespace,
    name,
    role,
    component: COMPONENT,
    image: options.image,
    ...variables(plan),
    files: {
      ...authorityFiles(ca),
      ...files,
      ...(options.config === undefined
        ? {}
        : { [`${CONFIGURATION_FOLDER}/crucible.yaml`]: options.config }),
    },
    ...(hosts === undefined ? {} : { hosts }),
    ports: { client: CLIENT_PORT, federation: FEDERATION_PORT },
    ready: { path: "/_matrix/client/versions", port: "client" },
    dataPath: options.dataPath,
    storage: options.storage,
    limits,
    access: options.access,
  };
}

/** Those of the user come out of the Secret, since any may hold one: no name tells. They win over ours. */
function variables({
  role,
  env,
  userEnv,
  options,
}: HomeserverPlan): Pick<Workload, "env" | "secretEnv"> {
  const secretEnv = { ...userEnv, ...options.env };
  const own = Object.entries({ SERVER_NAME: role, ...env });
  return {
    env: Object.fromEntries(own.filter(([name]) => !Object.hasOwn(secretEnv, name))),
    secretEnv,
  };
}

/** As Synapse reads it; other implementations get theirs by `env.NAME` and `config`. */
function databaseSettings({ host, port, user, password, database }: PostgresAccess): string {
  const args = { host, port, user, password, dbname: database, cp_min: 2, cp_max: 10 };
  return stringify({ database: { name: "psycopg2", args } });
}
