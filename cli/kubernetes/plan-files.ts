/** A plan's faults as files: one for each step that does something to links, servers or clocks. */
import path from "node:path";
import { type MeshStep, meshPlan } from "#chaos/mesh/plan";
import type { MeshResource } from "#chaos/mesh/resources";
import { readPlan } from "#cli/chaos/files";
import { print, printJson, remark } from "#cli/io";
import { namespaceOf } from "#drivers/complement-image/kubernetes/deployment";
import { manifestText, writeTexts } from "#drivers/substrates/kubernetes/write";
import { HarnessError } from "#harness/errors";
import { placeOf } from "./place.ts";

export interface PlanOptions {
  readonly run?: string;
  readonly namespace?: string;
  readonly out?: string;
  readonly json?: true;
}

/** @throws HarnessError BAD_USAGE, BAD_FILE */
export function writePlan(file: string, { run, namespace, out, json }: PlanOptions): void {
  if (run === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: "no run is named, so that no pods can be found",
      next: "give --run <id>: crucible kubernetes manifests and up tell it, and every pod has it as a label",
    });
  }
  const place = placeOf({
    runId: run,
    namespace: namespace ?? namespaceOf(run),
    servers: new Map(),
  });
  const steps = meshPlan(readPlan(file), place);
  const texts = new Map(steps.flatMap(textsOf));
  const files = out === undefined ? [] : writeTexts(out, texts);
  if (json) {
    printJson({ steps, files });
    return;
  }
  for (const { number, title, notes } of steps) {
    print(`${number}  ${title}`);
    for (const note of notes) print(`   ${note}`);
    for (const [name] of texts) {
      if (Number.parseInt(name, 10) === number) print(`   ${path.join(out ?? "", name)}`);
    }
  }
  const verb = out === undefined ? "give --out <dir> to write these files, then" : "";
  remark(
    `next: ${verb} kubectl apply -f or kubectl delete -f each, at its step`.replace("  ", " "),
  );
}

function textsOf({ number, apply, remove }: MeshStep): [string, string][] {
  const texts: [string, string][] = [];
  const add = (verb: string, resources: readonly MeshResource[]) => {
    if (resources.length === 0) return;
    texts.push([`${String(number).padStart(3, "0")}-${verb}.yaml`, manifestText(resources)]);
  };
  add("delete", remove);
  add("apply", apply);
  return texts;
}
