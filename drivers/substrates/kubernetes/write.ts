/** Manifests as files that `kubectl apply -f <folder>` takes in their order, secrets apart and for their owner's eyes only. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { describe, HarnessError } from "#harness/errors";
import { type Manifest, ROLE_LABEL } from "./manifest.ts";

const SECRET = ".secret.yaml";
const HIDDEN = "<redacted: only in files that are written>";

/** Paths of what was written, in order. @throws HarnessError BAD_FILE */
export function writeManifests(folder: string, manifests: readonly Manifest[]): readonly string[] {
  const groups = [...grouped(manifests)].map(([name, group], index): [string, string] => [
    `${String(index).padStart(2, "0")}-${name}.yaml`,
    manifestText(group),
  ]);
  return writeTexts(folder, new Map(groups));
}

/** Files by name; those named `*.secret.yaml` for their owner only. @throws HarnessError BAD_FILE */
export function writeTexts(folder: string, texts: ReadonlyMap<string, string>): readonly string[] {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return [...texts].map(([name, text]) => {
      const file = path.join(folder, name);
      // One that is there keeps its mode when it is written, and may be a link.
      rmSync(file, { force: true });
      writeFileSync(file, text, { mode: name.endsWith(SECRET) ? 0o600 : 0o644, flag: "wx" });
      return file;
    });
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `files can not be written into ${folder}`,
      facts: [describe(cause)],
      next: "name a folder that can be made and written: --out <folder>",
      cause,
    });
  }
}

/** Several documents in one text. */
export function manifestText(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join("---\n");
}

/** The same without what secrets hold: for the screen. */
export function shownText(manifests: readonly Manifest[]): string {
  return manifestText(manifests.map(withoutSecrets));
}

export function withoutSecrets(manifest: Manifest): Manifest {
  if (!isSecret(manifest)) return manifest;
  const hide = (values: unknown) =>
    Object.fromEntries(Object.keys(values ?? {}).map((key) => [key, HIDDEN]));
  const { data, stringData, ...rest } = manifest;
  return {
    ...rest,
    ...(data === undefined ? {} : { data: hide(data) }),
    ...(stringData === undefined ? {} : { stringData: hide(stringData) }),
  } as Manifest;
}

function isSecret({ kind }: Manifest): boolean {
  return kind === "Secret";
}

/** What belongs to one component in one file, its secrets in another. */
function grouped(manifests: readonly Manifest[]): ReadonlyMap<string, readonly Manifest[]> {
  const groups = new Map<string, Manifest[]>();
  for (const manifest of manifests) {
    const role = manifest.metadata.labels[ROLE_LABEL] ?? manifest.kind.toLowerCase();
    const name = isSecret(manifest) ? `${role}.secret` : role;
    const group = groups.get(name) ?? [];
    group.push(manifest);
    groups.set(name, group);
  }
  return groups;
}
