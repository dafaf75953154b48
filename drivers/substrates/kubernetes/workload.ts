/** One component in a cluster: a StatefulSet of one pod with its volume, its files, and a service that has its name. */
import { createHash } from "node:crypto";
import path from "node:path";
import { INSTANCE_LABEL, type Manifest, ROLE_LABEL, RUN_LABEL, runLabels } from "./manifest.ts";

export interface Workload {
  readonly runId: string;
  readonly namespace: string;
  /** Of its objects, and by which others in the namespace find it; unique in the run. */
  readonly name: string;
  readonly role: string;
  /** What it is: `homeserver`, `postgres`. */
  readonly component: string;
  readonly image: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What the variables hold is secret: they come out of the Secret. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Written before it starts, by absolute path, out of the Secret: any of them may hold one. */
  readonly files?: Readonly<Record<string, string>>;
  /** Names that resolve to an address, whatever the cluster says. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** By name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Ready when this answers: a path on a named port, or a command. */
  readonly ready:
    | { readonly path: string; readonly port: string }
    | { readonly command: readonly string[] };
  /** Runs to its end before it starts, to wait for what it needs. */
  readonly waitsBy?: { readonly image: string; readonly command: readonly string[] };
  /** Where it keeps its data. */
  readonly dataPath: string;
  readonly storage: Storage;
  readonly limits: Limits;
  readonly access: Access;
}

export interface Storage {
  /** As Kubernetes writes it: `1Gi`. */
  readonly size: string;
  /** The cluster's own choice unless given. */
  readonly className?: string | undefined;
}

/** 0: none. */
export interface Limits {
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

/** How the harness reaches it: through the API server, or by a port of each node. */
export const ACCESS_WAYS = ["port-forward", "node-port"] as const;
export type Access = (typeof ACCESS_WAYS)[number];

/** How long an orderly end may take before the kubelet kills, seconds; as on other substrates. */
const STOP_GRACE_S = 5;
const SECRET_KEY = "secret";
const UNPRIVILEGED = { allowPrivilegeEscalation: false };

/** Container that waits for what another needs. */
export const WAIT = "wait";

/** Namespace apart, all that it needs, in the order in which it is made. */
export function workloadManifests(workload: Workload): readonly Manifest[] {
  const { files = {}, secretEnv = {} } = workload;
  const secrets = { ...keyed(files), ...secretEnv };
  return [
    ...(Object.keys(secrets).length === 0 ? [] : [secretManifest(workload, secrets)]),
    service(workload),
    statefulSet(workload),
  ];
}

function metadata({ runId, namespace, name, role, component }: Workload, suffix = "") {
  return {
    name: `${name}${suffix}`,
    namespace,
    labels: {
      ...runLabels(runId),
      [ROLE_LABEL]: role,
      [INSTANCE_LABEL]: name,
      "app.kubernetes.io/name": component,
    },
  };
}

function secretManifest(workload: Workload, stringData: Record<string, string>): Manifest {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: metadata(workload, `-${SECRET_KEY}`),
    type: "Opaque",
    stringData,
  };
}

/** Of its one pod, and of no other. */
function podLabels({ runId, name }: Workload): Record<string, string> {
  return { [RUN_LABEL]: runId, [INSTANCE_LABEL]: name };
}

function service(workload: Workload): Manifest {
  const { ports, access } = workload;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(workload),
    spec: {
      type: access === "node-port" ? "NodePort" : "ClusterIP",
      selector: podLabels(workload),
      ports: Object.entries(ports).map(([name, port]) => ({
        name,
        port,
        targetPort: name,
        protocol: "TCP",
      })),
    },
  };
}

function statefulSet(workload: Workload): Manifest {
  const { name, storage } = workload;
  const { labels } = metadata(workload);
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: metadata(workload),
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: podLabels(workload) },
      // What a run leaves behind is no use to anybody.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
      template: {
        metadata: {
          labels,
          // A pod does not notice by itself that its files are others now.
          annotations: { "matrix-crucible.org/files": digestOf(workload) },
        },
        spec: podSpec(workload),
      },
      volumeClaimTemplates: [
        {
          metadata: { name: "data", labels },
          spec: {
            accessModes: ["ReadWriteOnce"],
            ...(storage.className === undefined ? {} : { storageClassName: storage.className }),
            resources: { requests: { storage: storage.size } },
          },
        },
      ],
    },
  };
}

function podSpec(workload: Workload): Record<string, unknown> {
  const { component, image, ports, dataPath, hosts = {}, waitsBy, limits } = workload;
  const hostAliases = Object.entries(hosts).map(([name, ip]) => ({ ip, hostnames: [name] }));
  const probe = { periodSeconds: 1, timeoutSeconds: 2, ...probeOf(workload) };
  return {
    // Nothing in a pod has to talk to the cluster.
    automountServiceAccountToken: false,
    // Variables such as HS1_PORT, which some images take for settings.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: STOP_GRACE_S,
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    ...(hostAliases.length === 0 ? {} : { hostAliases }),
    ...(waitsBy === undefined
      ? {}
      : {
          initContainers: [
            {
              name: WAIT,
              ...waitsBy,
              resources: resources(limits),
              securityContext: UNPRIVILEGED,
            },
          ],
        }),
    containers: [
      {
        name: component,
        image,
        env: environment(workload),
        ports: Object.entries(ports).map(([name, containerPort]) => ({
          name,
          containerPort,
          protocol: "TCP",
        })),
        // No liveness probe: a server that hangs is a finding, and a restart would hide it.
        startupProbe: { ...probe, failureThreshold: 300 },
        readinessProbe: probe,
        resources: resources(limits),
        securityContext: UNPRIVILEGED,
        volumeMounts: [{ name: "data", mountPath: dataPath }, ...mounts(workload)],
      },
    ],
    volumes: volumes(workload),
  };
}

function probeOf({ ready }: Workload): Record<string, unknown> {
  return "path" in ready
    ? { httpGet: { path: ready.path, port: ready.port } }
    : { exec: { command: [...ready.command] } };
}

function environment({ name: instance, env = {}, secretEnv = {} }: Workload): readonly unknown[] {
  return [
    ...Object.entries(env).map(([name, value]) => ({ name, value })),
    ...Object.keys(secretEnv).map((name) => ({
      name,
      valueFrom: { secretKeyRef: { name: `${instance}-${SECRET_KEY}`, key: name } },
    })),
  ];
}

function resources({ cpuCores, memoryBytes }: Limits): Record<string, unknown> {
  const limits = {
    ...(cpuCores === 0 ? {} : { cpu: `${Math.ceil(cpuCores * 1000)}m` }),
    ...(memoryBytes === 0 ? {} : { memory: String(memoryBytes) }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits, requests: limits };
}

function mounts({ files = {} }: Workload): readonly unknown[] {
  return foldersOf(files).map((folder) => ({
    name: volumeName(folder),
    mountPath: folder,
    readOnly: true,
  }));
}

function volumes({ name, files = {} }: Workload): readonly unknown[] {
  return foldersOf(files).map((folder) => ({
    name: volumeName(folder),
    secret: {
      secretName: `${name}-${SECRET_KEY}`,
      items: Object.keys(files)
        .filter((file) => path.posix.dirname(file) === folder)
        .map((file) => ({ key: keyOf(file), path: path.posix.basename(file) })),
    },
  }));
}

function foldersOf(files: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set(Object.keys(files).map((file) => path.posix.dirname(file)))].sort();
}

function volumeName(folder: string): string {
  return folder.slice(1).replace(/[^a-z0-9]+/g, "-");
}

/** A key of a Secret may hold no slash. */
function keyOf(file: string): string {
  return file.slice(1).replaceAll("/", "_");
}

function keyed(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([file, text]) => [keyOf(file), text]));
}

function digestOf({ files = {}, secretEnv = {} }: Workload): string {
  const all = JSON.stringify([files, secretEnv]);
  return createHash("sha256").update(all).digest("hex").slice(0, 16);
}
