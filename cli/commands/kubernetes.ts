/** `crucible kubernetes`: whole deployments in a cluster, and faults of Chaos Mesh for them. */
import { Command } from "commander";
import { print, printJson, remark } from "#cli/io";
import { fault } from "#cli/kubernetes/fault";
import { listFits } from "#cli/kubernetes/fits";
import { writePlan } from "#cli/kubernetes/plan-files";
import { type UpOptions, upInCluster } from "#cli/kubernetes/up";
import { containerSettings } from "#cli/run/containers";
import { topologyOf } from "#cli/run/select";
import { addRunOptions, settingsOf } from "#cli/run-options";
import {
  type ClusterDeployment,
  namespaceOf,
  planDeployment,
} from "#drivers/complement-image/kubernetes/deployment";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { shownText, withoutSecrets, writeManifests } from "#drivers/substrates/kubernetes/write";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { newRunId } from "#harness/results/ids";
import { tame } from "#reports/finding";
import { withHelp } from "./options.ts";

const NOTES = "docs/kubernetes.md tells what a cluster needs, which images run, and the limits.";
const SETTINGS = ["hs", "topology", "containerCpuCores", "containerMemory"] as const;

export function kubernetesCommand(): Command {
  const command = new Command("kubernetes")
    .description("deployments in a cluster by manifest, and faults for them by Chaos Mesh")
    .addCommand(manifestsCommand())
    .addCommand(clusterUpCommand())
    .addCommand(logsCommand())
    .addCommand(downCommand())
    .addCommand(faultsCommand())
    .addCommand(faultCommand());
  return withHelp(command, "kubernetes", {
    notes: NOTES,
    examples: [
      "manifests --hs kubernetes:registry.example.org/synapse:1 --topology two --out deployment",
      "up --hs kubernetes:registry.example.org/synapse:1,database=postgres --topology two",
      "fault blackhole 'hs1>hs2,hs2>hs1' --run 20261127-050000-abcd --for 30",
      "faults",
      "faults scenarios/stories/netsplits/join-under-a-split.json --namespace team --run 20261127-050000-abcd --out faults",
    ],
  });
}

function manifestsCommand(): Command {
  const command = new Command("manifests")
    .description("write what a cluster would run; asks no cluster")
    .option(
      "--out <dir>",
      "write files there, secrets with mode 600; else to standard output, without secrets",
    )
    .option("--json", "an object {run, namespace, manifests, files}, without what secrets hold");
  addRunOptions(command, SETTINGS).action(async (options: ManifestOptions, self: Command) => {
    await manifests(await deploymentOf(self), options);
  });
  return withHelp(command, "kubernetes manifests", {
    notes: `Each server is a StatefulSet with a volume, a Service of its name and a Secret; database=postgres adds a PostgreSQL. ${NOTES}`,
    examples: [
      "--hs kubernetes:registry.example.org/synapse:1 --out deployment",
      "--hs hs1=kubernetes:a:1,database=postgres --hs hs2=kubernetes:b:1,config=b.yaml --topology two",
      "--hs kubernetes:a:1,namespace=team,storage=5Gi,storage-class=fast,access=node-port",
    ],
  });
}

interface ManifestOptions {
  readonly out?: string;
  readonly json?: true;
}

async function manifests(
  deployment: ClusterDeployment,
  { out, json }: ManifestOptions,
): Promise<void> {
  const { runId, namespace, manifests: all } = deployment;
  const files = out === undefined ? [] : writeManifests(out, all);
  if (json) {
    return printJson({ run: runId, namespace, manifests: all.map(withoutSecrets), files });
  }
  if (out === undefined) {
    process.stdout.write(shownText(all));
    remark("what secrets hold is left out; --out <dir> writes it, readable by you only");
    return;
  }
  for (const file of files) print(file);
  remark(`next: kubectl apply -f ${out}, and kubectl -n ${namespace} get pods`);
}

/** What the command line asks for. @throws HarnessError BAD_USAGE, BAD_CONFIG, BAD_FILE */
async function deploymentOf(command: Command): Promise<ClusterDeployment> {
  const { settings } = settingsOf(command);
  const { servers } = topologyOf(settings.topology ?? "one");
  const specs = settings.hs.map((text) => parseServerSpec(text));
  const { cpuCores, memoryBytes } = containerSettings(settings);
  return planDeployment(newRunId(), assignServers(specs, servers), { cpuCores, memoryBytes });
}

function clusterUpCommand(): Command {
  const command = new Command("up")
    .description(
      "run it in the cluster of the kubeconfig until Ctrl-C; a dry run where there is none",
    )
    .option(
      "--dry-run",
      "make nothing; have the cluster check it, if there is one, and write the manifests",
    )
    .option("--keep", "leave it in the cluster")
    .option("--out <dir>", "where a dry run writes; .runs/<id>/kubernetes unless given")
    .option("--json", "an object {run, namespace, dryRun, cluster, servers | files}, then wait");
  addRunOptions(command, [...SETTINGS, "spawnTimeoutMs"]).action(
    async (options: UpOptions, self: Command) => {
      const { spawnTimeoutMs } = settingsOf(self).settings;
      await upInCluster(await deploymentOf(self), spawnTimeoutMs, options);
    },
  );
  return withHelp(command, "kubernetes up", {
    notes: `Servers federate with each other inside the cluster. Clients come through the API server to ports of this machine, or by
node ports (access=node-port). Secrets are never printed. ${NOTES}`,
    examples: [
      "--hs kubernetes:registry.example.org/synapse:1 --topology two",
      "--hs kubernetes:a:1,context=kind-kind,database=postgres --keep",
      "--hs kubernetes:a:1 --dry-run --out deployment",
    ],
  });
}

function logsCommand(): Command {
  const command = new Command("logs")
    .description("last lines of a server's log")
    .argument("<run>", "run of the deployment")
    .argument("<server>", "hs1, hs1-postgres, …; main-hs1, … of crucible run")
    .option("--tail <n>", "so many lines", "100")
    .action(async (run: string, server: string, options: PlaceOptions & { tail: string }) => {
      const cluster = await Cluster.connect(options.context);
      const namespace = options.namespace ?? namespaceOf(run);
      for (const line of await cluster.tail(namespace, server, Number(options.tail) || 100)) {
        print(tame(line));
      }
    });
  return withHelp(withPlace(command), "kubernetes logs", {
    examples: ["20261127-050000-abcd hs1", "20261127-050000-abcd hs1-postgres --tail 20"],
  });
}

function downCommand(): Command {
  const command = new Command("down")
    .description("remove a deployment and its faults, by the label of its run")
    .argument("<run>", "run of the deployment")
    .option("--json", "an object {removed: [<what>]}")
    .action(async (run: string, options: PlaceOptions & { json?: true }) => {
      const cluster = await Cluster.connect(options.context);
      const removed = await cluster.remove(run, options.namespace ?? namespaceOf(run));
      if (options.json) return printJson({ removed });
      for (const line of removed) print(`removed ${line}`);
      if (removed.length === 0) print(`${cluster.title} has nothing of run ${run}`);
    });
  return withHelp(withPlace(command), "kubernetes down", {
    notes:
      "A run that ends with Ctrl-C removes what it made; crucible clean removes what killed ones left.",
    examples: ["20261127-050000-abcd", "20261127-050000-abcd --namespace team --context kind-kind"],
  });
}

interface PlaceOptions {
  readonly namespace?: string;
  readonly context?: string;
}

function withPlace(command: Command): Command {
  return command
    .option("--namespace <name>", "where it runs; crucible-<run> unless given")
    .option("--context <name>", "of the kubeconfig; its current one unless given");
}

function faultCommand(): Command {
  const command = new Command("fault")
    .description("make one fault by Chaos Mesh, and end it; shown only where no cluster is")
    .argument("<fault>", "as `crucible kubernetes faults` lists them")
    .argument("<where>", "links (hs1>hs2,hs2>hs1), or one server (hs2)")
    .requiredOption("--run <id>", "run of the deployment, by which pods are found")
    .option("--for <seconds>", "how long; until Ctrl-C unless given")
    .option("--ms <n>", "of delay: how late, in milliseconds")
    .option("--dry-run", "make nothing, show the resources")
    .action(fault);
  return withHelp(withPlace(command), "kubernetes fault", {
    notes: NOTES,
    examples: [
      "blackhole 'hs1>hs2,hs2>hs1' --run 20261127-050000-abcd --for 30",
      "delay 'hs1>hs2' --ms 300 --run 20261127-050000-abcd",
      "kill hs2 --run 20261127-050000-abcd --for 10",
      "clock-ahead hs1 --run 20261127-050000-abcd --for 60 --dry-run",
    ],
  });
}

interface FaultOptions {
  readonly run?: string;
  readonly namespace?: string;
  readonly out?: string;
  readonly json?: true;
}

function faultsCommand(): Command {
  const command = new Command("faults")
    .description("which faults Chaos Mesh can make; or those of a plan, as files step by step")
    .argument("[plan]", "a plan (docs/plan-format.md), or the journal of a story")
    .option("--run <id>", "run of the deployment, by which pods are found")
    .option("--namespace <name>", "where it runs; crucible-<run> unless given")
    .option("--out <dir>", "folder to write to")
    .option("--json", "a list of faults, or an object {steps, files}")
    .action(faults);
  return withHelp(command, "kubernetes faults", {
    notes: `Nothing is applied. ${NOTES}`,
    examples: ["", "plan.json --run 20261127-050000-abcd --out faults"],
  });
}

async function faults(plan: string | undefined, options: FaultOptions): Promise<void> {
  if (plan !== undefined) return writePlan(plan, options);
  const rows = listFits();
  if (options.json) return printJson(rows);
  for (const { fault, fit, resource, note } of rows) {
    print(
      [fault.padEnd(18), fit.padEnd(5), resource, note].filter((word) => word !== "").join("  "),
    );
  }
}
