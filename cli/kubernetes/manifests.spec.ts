/** Everything that is generated for a cluster, held against the published schemas of Kubernetes and of Chaos Mesh. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { clockFault, linkFault, serverFault } from "#chaos/mesh/faults";
import { CLOCKS, LINK_FITS, SERVER_FITS } from "#chaos/mesh/fits";
import { planDeployment } from "#drivers/complement-image/kubernetes/deployment";
import { nameOf } from "#drivers/substrates/kubernetes/manifest";
import { manifestText, shownText, writeManifests } from "#drivers/substrates/kubernetes/write";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { FAULT_KINDS, type FaultKind, type ServerStep } from "#scenarios/plan";
import { placeOf } from "./place.ts";
import { publishedSchemas } from "./schemas-for-specs.ts";

const schemas = await publishedSchemas();
const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = path.join(folder, "settings.yaml");
writeFileSync(config, "macaroon: from-the-file\n");

const RUN = "20261127-050000-abcd";

function deployment(...specs: readonly string[]) {
  const servers = assignServers(
    specs.map((spec) => parseServerSpec(spec)),
    ["hs1", "hs2"],
  );
  return planDeployment(RUN, servers, { cpuCores: 1.5, memoryBytes: 512 * 1024 ** 2 });
}

const DEPLOYMENTS = {
  plain: ["kubernetes:synapse:1"],
  postgres: [
    `hs1=kubernetes:synapse:1,database=postgres,postgres-image=postgres:16,config=${config}`,
    "hs2=kubernetes:dendrite:1,access=node-port,storage=5Gi,storage-class=fast,env.DATABASE_URL=letmein",
  ],
  "in a namespace": ["kubernetes:synapse:1,namespace=team,context=kind-kind"],
};

describe.skipIf(schemas === undefined)("by the published schemas", () => {
  const problemsOf = (manifest: Parameters<NonNullable<typeof schemas>["problemsOf"]>[0]) =>
    schemas?.problemsOf(manifest);

  test.each(Object.entries(DEPLOYMENTS))("a deployment is right: %s", async (_name, specs) => {
    const { manifests } = await deployment(...specs);

    expect(manifests.flatMap((manifest) => problemsOf(manifest))).toEqual([]);
  });

  test("what a schema does not know is told, at any depth", async () => {
    const { manifests } = await deployment("kubernetes:synapse:1");
    const set = manifests.find(({ kind }) => kind === "StatefulSet");
    const text = JSON.stringify(set);
    const typo = JSON.parse(text.replace('"readinessProbe"', '"readynessProbe"'));
    const wrong = JSON.parse(text.replace('"replicas":1', '"replicas":"1"'));

    expect(problemsOf(typo)).toEqual([expect.stringContaining("readynessProbe")]);
    expect(problemsOf(wrong)).toEqual([expect.stringContaining("must be integer")]);
    expect(problemsOf({ apiVersion: "apps/v2", kind: "StatefulSet" })).toHaveLength(1);
  });

  test.each(FAULT_KINDS)("link fault %s", async (fault) => {
    const place = placeOf(await deployment("kubernetes:synapse:1"));

    for (const links of [["hs1>hs2"], ["hs1>hs2", "hs2>hs1"]]) {
      const made = linkFault({ fault, id: "f1", links }, place, { durationMs: 1500 });
      expect(made.resources.length).toBe(LINK_FITS[fault].fit === "none" ? 0 : 1);
      expect(made.resources.flatMap((resource) => problemsOf(resource))).toEqual([]);
    }
  });

  test.each(Object.keys(SERVER_FITS) as ServerStep["action"][])(
    "%s of a server",
    async (action) => {
      const place = placeOf(await deployment("kubernetes:synapse:1"));

      const { resources } = serverFault({ server: "hs2", action }, "f2", place);

      expect(resources.length).toBe(SERVER_FITS[action].resource === "removed" ? 0 : 1);
      expect(resources.flatMap((resource) => problemsOf(resource))).toEqual([]);
    },
  );

  test.each(CLOCKS)("%s", async (clock) => {
    const place = placeOf(await deployment("kubernetes:synapse:1"));

    const { resources } = clockFault("hs1", clock, "f3", place);

    expect(resources.flatMap((resource) => problemsOf(resource))).toEqual([]);
    expect(JSON.stringify(resources)).toContain(
      clock === "clock-ahead" ? '"30000ms"' : '"-30000ms"',
    );
    const wrong = JSON.parse(JSON.stringify(resources[0]).replace("timeOffset", "offset"));
    expect(problemsOf(wrong)?.join()).toMatch(/required[\s\S]*offset/);
  });
});

test("a deployment is a service, a stateful set and files for each server, and its databases", async () => {
  const { manifests, namespace, ownsNamespace } = await deployment(...DEPLOYMENTS.postgres);

  expect(manifests.map(nameOf)).toEqual([
    `Namespace/${namespace}`,
    "Secret/hs1-postgres-secret",
    "Service/hs1-postgres",
    "StatefulSet/hs1-postgres",
    "Secret/hs1-secret",
    "Service/hs1",
    "StatefulSet/hs1",
    "Secret/hs2-secret",
    "Service/hs2",
    "StatefulSet/hs2",
  ]);
  expect(ownsNamespace).toBe(true);
  expect(
    manifests.every(({ metadata }) => metadata.labels["matrix-crucible.org/run"] === RUN),
  ).toBe(true);
});

test("a namespace that was named is neither made nor owned", async () => {
  const { manifests, ownsNamespace } = await deployment(...DEPLOYMENTS["in a namespace"]);

  expect(ownsNamespace).toBe(false);
  expect(manifests.map(({ kind }) => kind)).not.toContain("Namespace");
  expect(new Set(manifests.map(({ metadata }) => metadata.namespace))).toEqual(new Set(["team"]));
});

test("secrets are in files for their owner only, whatever was there, and never on the screen", async () => {
  const { manifests } = await deployment(...DEPLOYMENTS.postgres);
  const out = path.join(folder, "out");
  const files = writeManifests(out, manifests);
  for (const file of files) writeFileSync(file, "old", { mode: 0o644 });

  writeManifests(out, manifests);

  const modes = files.map((file) => [
    path.basename(file),
    (statSync(file).mode & 0o777).toString(8),
  ]);
  expect(modes).toEqual([
    ["00-namespace.yaml", "644"],
    ["01-hs1-postgres.secret.yaml", "600"],
    ["02-hs1-postgres.yaml", "644"],
    ["03-hs1.secret.yaml", "600"],
    ["04-hs1.yaml", "644"],
    ["05-hs2.secret.yaml", "600"],
    ["06-hs2.yaml", "644"],
  ]);
  const secrets = manifests.flatMap(({ stringData }) => Object.values(stringData ?? {}));
  const password = secrets.find((secret) => /^[0-9a-f]{32}$/.test(String(secret)));
  for (const secret of [password, "letmein", "from-the-file"]) {
    expect(manifestText(manifests)).toContain(secret);
  }
  const open = readdirSync(out).filter((name) => !name.includes("secret"));
  for (const text of [
    shownText(manifests),
    ...open.map((name) => readFileSync(path.join(out, name), "utf8")),
  ]) {
    expect(text).not.toContain("PRIVATE KEY");
    expect(text).not.toContain(password);
    expect(text).not.toContain("letmein");
    expect(text).not.toContain("from-the-file");
  }
});

test.each([
  ["kubernetes:", "nothing is named after kubernetes:"],
  ["kubernetes:./folder", "a cluster builds no folders"],
  ["kubernetes:a,databse=postgres", "did you mean database?"],
  ["kubernetes:a,database=mysql", "known ones: volume, postgres"],
  ["kubernetes:a,postgres-image=b", "add database=postgres"],
  ["kubernetes:a,namespace=Not_One", "namespace is Not_One"],
  ["kubernetes:a,gateway=host.example", "an address of this machine"],
  ["kubernetes:a,storage=lots", "for example storage=2Gi"],
  ["docker:a", "hs1 is docker:a, which is no server in a cluster"],
])("%s is refused: %s", async (spec, message) => {
  await expect(async () => deployment(spec)).rejects.toThrow(message);
});

test("a homeserver waits for its database before it starts", async () => {
  const { manifests } = await deployment(...DEPLOYMENTS.postgres);
  const waits = manifests.flatMap(({ kind, metadata, spec }) => {
    const { template } = (spec ?? {}) as {
      template?: { spec: { initContainers?: readonly { image: string; command: string[] }[] } };
    };
    const first = template?.spec.initContainers?.[0];
    return kind === "StatefulSet" ? [[metadata.name, first?.image, first?.command.join(" ")]] : [];
  });

  expect(waits).toEqual([
    ["hs1-postgres", undefined, undefined],
    ["hs1", "postgres:16", expect.stringContaining("pg_isready --host hs1-postgres")],
    ["hs2", undefined, undefined],
  ]);
});

test("one direction of a cut is told to be more than that", async () => {
  const place = placeOf(await deployment("kubernetes:synapse:1"));
  const cut = (links: string[], fault: FaultKind = "blackhole") =>
    linkFault({ fault, id: "f", links }, place);

  expect(cut(["hs1>hs2", "hs2>hs1"]).notes).toEqual([]);
  expect(cut(["hs1>hs2"]).notes).toEqual([expect.stringContaining("of one direction are lost")]);
  expect(cut(["hs1>hs2"], "delay").notes.join()).toContain("of one direction are late");
  expect(cut(["hs1>hs2"]).resources).toMatchObject([{ spec: { direction: "to" } }]);
  expect(cut(["hs1>hs2"], "status").notes).toEqual([expect.stringContaining("only the gateway")]);
});
