/**
 * The published schemas of Kubernetes and of Chaos Mesh, for specs: its OpenAPI document and their CRDs, out of the Go modules
 * that carry them. Go downloads each once and keeps it; the hashes here are what counts, as in a go.sum. None is built.
 */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { parse } from "yaml";
import { runCommand } from "#harness/python/command";

interface Module {
  readonly path: string;
  readonly version: string;
  readonly sum: string;
}

/** `go mod download -json k8s.io/kubernetes@<version>` tells the hash of another version. */
const KUBERNETES: Module = {
  path: "k8s.io/kubernetes",
  version: "v1.36.3",
  sum: "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=",
};
/** The commit after release 2.8.4: the proxy has no later release under this path. */
const CHAOS_MESH: Module = {
  path: "github.com/chaos-mesh/chaos-mesh",
  version: "v0.9.1-0.20260902003049-47411975a8cb",
  sum: "h1:0TeWmCELKreoLAXuoPaO2qpJe73foDgOoyU3fdKQN4A=",
};

const GO = ["go", "/usr/local/go/bin/go"];

type Schema = Record<string, unknown>;

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/** Undefined where there is no Go, or it has neither the modules nor a proxy that has. */
export async function publishedSchemas(): Promise<Schemas | undefined> {
  const go = await findGo();
  if (go === undefined) return undefined;
  const kubernetes = await folderOf(go, KUBERNETES);
  const mesh = await folderOf(go, CHAOS_MESH);
  if (kubernetes === undefined || mesh === undefined) return undefined;
  const file = path.join(kubernetes, "api/openapi-spec/swagger.json");
  return new Schemas(JSON.parse(readFileSync(file, "utf8")), definitionsIn(mesh));
}

/** Texts of the CRDs that our faults need, for an API server that is to have them. */
export async function meshDefinitions(): Promise<readonly Definition[]> {
  const go = await findGo();
  const folder = go === undefined ? undefined : await folderOf(go, CHAOS_MESH);
  return folder === undefined ? [] : definitionsIn(folder);
}

export class Schemas {
  readonly #ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  readonly #kinds = new Map<string, string>();

  constructor(
    swagger: { readonly definitions: Readonly<Record<string, Schema>> },
    crds: readonly Definition[],
  ) {
    this.#ajv.addSchema({ $id: "kubernetes", definitions: closed(swagger.definitions) });
    for (const [name, definition] of Object.entries(swagger.definitions)) {
      for (const { group, version, kind } of kindsOf(definition)) {
        this.#kinds.set(keyOf(group, version, kind), `kubernetes#/definitions/${name}`);
      }
    }
    for (const { spec } of crds) {
      for (const { name, schema } of spec.versions) {
        const key = keyOf(spec.group, name, spec.names.kind);
        this.#ajv.addSchema({ ...closed(schema.openAPIV3Schema), $id: key });
        this.#kinds.set(key, key);
      }
    }
  }

  /** What is wrong with it, one line each; a field that the schema does not know is wrong as well. */
  problemsOf(manifest: { readonly apiVersion: string; readonly kind: string }): readonly string[] {
    const { apiVersion, kind } = manifest;
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    const reference = this.#kinds.get(keyOf(group, version, kind));
    if (reference === undefined) return [`there is no ${kind} in ${apiVersion}`];
    const validate = this.#ajv.getSchema(reference) as ValidateFunction;
    if (validate(manifest)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${kind}${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  }
}

function kindsOf(definition: Schema) {
  return (definition["x-kubernetes-group-version-kind"] ?? []) as readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
}

function keyOf(group: string, version: string, kind: string): string {
  return `${group}:${version}:${kind}`;
}

function definitionsIn(mesh: string): readonly Definition[] {
  const folder = path.join(mesh, "helm/chaos-mesh/crds");
  return readdirSync(folder)
    .filter((name) => /_(network|pod|time|io)chaos\.yaml$/.test(name))
    .map((name) => parse(readFileSync(path.join(folder, name), "utf8")));
}

/** As an API server reads it with strict validation: what a type does not name it does not have. */
function closed<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(closed) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Schema = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  if (copy.format === "int-or-string") copy.type = ["integer", "string"];
  const isOpen = copy["x-kubernetes-preserve-unknown-fields"] === true;
  // Where `type` is no text, this is no schema but a list of properties, of which one has that name.
  if (copy.type === "object" && copy.properties !== undefined && !isOpen) {
    copy.additionalProperties ??= false;
  }
  return copy as T;
}

async function findGo(): Promise<string | undefined> {
  for (const candidate of GO) {
    if ((await runCommand(candidate, ["version"])).code === 0) return candidate;
  }
  return undefined;
}

/** Where Go keeps the module. @throws when it is another than the one that was pinned */
async function folderOf(go: string, module: Module): Promise<string | undefined> {
  const named = `${module.path}@${module.version}`;
  const env = { GOFLAGS: "", GOWORK: "off", GO111MODULE: "on", PWD: tmpdir() };
  const { code, output } = await runCommand(go, ["mod", "download", "-json", named], { env });
  if (code !== 0) return undefined;
  const { Dir, Sum } = JSON.parse(output.slice(output.indexOf("{"))) as Record<string, string>;
  if (Sum !== module.sum) throw new Error(`${named} is ${Sum}, and not ${module.sum}`);
  return Dir;
}
