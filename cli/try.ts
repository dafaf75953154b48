// Temporary: `node cli/try.ts suites/core/login.test.ts [verdicts|mutants] [ID-prefix…]`
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { DeploymentPool, describeDeployment } from "#cli/run/control";
import { runVitest } from "#cli/run/vitest";
import { synapse } from "#drivers/synapse/index";
import { RunRegistry } from "#harness/runs/registry";
import { serveControl } from "#harness/world/control";
const [file = "", mode = "verdicts", ...prefixes] = process.argv.slice(2);
const catalogue = ["suites/core/requirements.yaml", "/work/shared/requirements/core.yaml"].flatMap((f) => { try { return [parse(readFileSync(f, "utf8"))]; } catch { return []; } })[0] as { id: string; needs?: string[] }[];
const selected = Object.fromEntries(catalogue.filter(({ id }) => prefixes.length === 0 || prefixes.some((p) => id.startsWith(p))).map(({ id, needs }) => [id, needs ?? []]));
const runId = `try-${process.pid}`; const registry = RunRegistry.open(runId);
const folder = `/tmp/tryrun/${runId}`; mkdirSync(folder, { recursive: true });
const abort = new AbortController(); process.on("SIGINT", () => abort.abort());
const version = process.env.SYNAPSE_VERSION;
const spec = { substrate: "process", driver: "synapse", options: new Map<string, string>(process.env.DB ? [["database", process.env.DB]] : []), text: "process:synapse", ...(version ? { version } : {}) } as const;
await synapse.prepare(spec, { signal: abort.signal, progress: console.log });
const pool = new DeploymentPool({ id: "main", topology: "two", servers: new Map([["hs1", spec], ["hs2", spec]]), features: [] }, { drivers: [synapse], registry, traceFolder: folder, logFolder: folder, startTimeoutMs: 60000, signal: abort.signal, progress: () => undefined, onDeath: (r, h, t) => console.log("died", r, h, t) });
const deployment = await pool.startMain(); const control = await serveControl(pool.control);
const counts: Record<string, number> = {};
const started = performance.now();
await runVitest({ root: process.cwd(), files: [path.resolve(file)], workers: 1, concurrency: 8, signal: abort.signal, onBroken: (what) => console.log("BROKEN", what),
  onReport: (r) => { counts[r.outcome] = (counts[r.outcome] ?? 0) + 1;
    if (mode === "mutants") { const bad = (r.mutants ?? []).filter((m) => m.verdict !== "killed"); console.log(`${bad.length || !r.mutants?.length ? "NOT PROVEN" : "killed"} ${r.requirement} ${r.mutants?.length ? "" : "(no mutant)"} ${r.reason ?? ""} ${bad.map((m) => `\n    ${m.verdict}: ${m.name}: ${m.detail}`).join("")}`); return; }
    console.log(`${r.outcome.padEnd(5)} ${r.requirement} ${r.title} (${r.durationMs} ms)${r.reason ? `\n    ${r.reason}` : ""}${r.notes.map((n) => `\n    note: ${n}`).join("")}${r.outcome === "fail" || r.outcome === "error" ? `\n${r.stack ?? ""}\n${(r.exchange ?? "").replace(/^/gm, "    | ")}` : ""}${r.outcome === "error" ? `\n    ${r.message}` : ""}`); },
  info: { runId, seed: Date.now(), timeoutScale: 1, control, deployment: describeDeployment(deployment), selected, disabled: {}, isolate: false, repeat: Number(process.env.REPEAT ?? 1), retry: 0, mode: mode as "verdicts" } });
console.log(JSON.stringify(counts), `${Math.round(performance.now() - started)} ms; trace ${folder}/main.ndjson, logs ${folder}/`);
await pool[Symbol.asyncDispose](); await control[Symbol.asyncDispose](); await registry[Symbol.asyncDispose]();
