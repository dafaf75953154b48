/** What a deployment runs on and what runs in it, to be taken down together. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { HarnessError } from "#harness/errors";
import { CertificateAuthority } from "#harness/gateway/ca";
import type { Exchange } from "#harness/gateway/exchange";
import { Gateway } from "#harness/gateway/gateway";
import { Recorder } from "#harness/gateway/recorder";
import type { Address, AppserviceRegistration } from "./contract.ts";
import type { DeploymentContext, DeploymentPlan } from "./plan.ts";
import type { Outage, Supervision } from "./supervision.ts";

/** What has to be taken down again, also when the start failed half way. */
export class Parts implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly ca: CertificateAuthority;
  readonly caFile: string;
  readonly recorder: Recorder;
  readonly appservice: AppserviceRegistration;
  readonly #running: AsyncDisposable[] = [];
  readonly #serviceSupervisions: Supervision[] = [];
  readonly watchers = new Set<(exchange: Exchange) => void>();
  appserviceUpstream: Address | undefined;
  #end: Promise<void> | undefined;

  private constructor(
    fields: Pick<Parts, "gateway" | "ca" | "caFile" | "recorder" | "appservice">,
  ) {
    this.gateway = fields.gateway;
    this.ca = fields.ca;
    this.caFile = fields.caFile;
    this.recorder = fields.recorder;
    this.appservice = fields.appservice;
  }

  static async create(plan: DeploymentPlan, context: DeploymentContext): Promise<Parts> {
    const { registry } = context;
    const ca = await CertificateAuthority.create(registry.runId);
    const caFile = path.join(registry.workFolder(plan.id), "ca.crt");
    writeFileSync(caFile, ca.certificate);
    const recorder = new Recorder(path.join(context.traceFolder, `${plan.id}.ndjson`));
    let parts: Parts | undefined;
    const gateway = new Gateway({
      name: plan.id,
      ca,
      record: (exchange) => {
        if (context.isTraced !== false) recorder.record(exchange);
        for (const watcher of parts?.watchers ?? []) watcher(exchange);
      },
    });
    const port = await gateway.addSink("appservice", () => parts?.appserviceUpstream);
    parts = new Parts({
      gateway,
      ca,
      caFile,
      recorder,
      appservice: {
        id: "crucible",
        port,
        asToken: `as_${registry.runId}_${crypto.randomUUID()}`,
        hsToken: `hs_${registry.runId}_${crypto.randomUUID()}`,
        senderLocalpart: "crucible_bot",
        prefix: "crucible_as_",
      },
    });
    return parts;
  }

  /** @throws HarnessError INTERRUPTED when the deployment has been taken down in between; the component then is too. */
  async add(component: AsyncDisposable & { readonly role: string }): Promise<void> {
    if (this.#end === undefined) {
      this.#running.push(component);
      return;
    }
    await component[Symbol.asyncDispose]();
    throw new HarnessError("INTERRUPTED", {
      what: `${component.role} was stopped while it started`,
    });
  }

  superviseService(supervision: Supervision): Supervision {
    this.#serviceSupervisions.push(supervision);
    return supervision;
  }

  serviceOutages(): readonly Outage[] {
    return this.#serviceSupervisions.flatMap(({ outages }) => outages);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#takeDown();
    return this.#end;
  }

  async #takeDown(): Promise<void> {
    await Promise.allSettled(this.#running.map((component) => component[Symbol.asyncDispose]()));
    await this.gateway[Symbol.asyncDispose]();
    await this.recorder.close();
  }
}
