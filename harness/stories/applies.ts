/** Whether a story is about anything that the clients of a pair can do: known before any of it is told. */
import { type Capability, type ClientKind, LACKING } from "#harness/clients/crypto/capabilities";
import { refusesPolicy } from "#harness/clients/crypto/setup";
import { isObject } from "#harness/match/json";
import type { DeviceSpec, Step, Story } from "./story.ts";
import type { Pair } from "./telling.ts";

/** Some device, by its name in the story, has to be able to do this. */
type Need = readonly [device: string, capability: Capability];

/** What a step asks of clients. Words that are not here are told with requests past any client, or by what all of them can. */
const NEEDS: Readonly<Record<string, (given: Given) => readonly Need[]>> = {
  identity: ({ names }) => names.map((name) => [name, "cross-signing"]),
  "reset-identity": ({ name }) => [[name, "cross-signing"]],
  "to-device": ({ by }) => [[by, "to-device"]],
  trust: ({ by }) => [[by, "local-trust"]],
  verify: ({ by, of, via }) =>
    via === "local-sign"
      ? [[by, via]]
      : [by, of].map((each): Need => [each, via as "sas-to-device" | "sas-room" | "qr"]),
  "call-off": ({ by, of }) => [by, of].map((each) => [each, "sas-to-device"]),
  "backup-create": ({ name }) => [[name, "backup"]],
  "backup-upload": ({ name }) => [[name, "backup"]],
  "backup-restore": ({ by }) => [[by, "backup"]],
  "recovery-create": ({ by }) => [[by, "recovery"]],
  "recovery-use": ({ by }) => [[by, "recovery"]],
  "history-share": ({ by }) => [[by, "history-bundles"]],
  "history-accept": ({ by }) => [[by, "history-bundles"]],
  dehydrate: ({ by }) => [[by, "dehydrated-devices"]],
  rehydrate: ({ by }) => [[by, "dehydrated-devices"]],
  "dies-in-sync": ({ who, all }) => [
    [who, all["acknowledges-early"] === true ? "acknowledges-early" : "dies-in-sync"],
  ],
  claim: ({ of, all }) => (all.gives === "fallback" ? [[of, "fallback-keys"]] : []),
  holds: ({ of, all }) => (all["fallback-unused"] === undefined ? [] : [[of, "fallback-keys"]]),
};

/** Why a story has nothing to say about a pair; undefined: it has. */
export function whyNot(
  story: Story,
  pair: Pair,
): { readonly kind: ClientKind; readonly reason: string } | undefined {
  for (const kind of [pair.a, pair.b]) {
    const reason = story["not-for"][kind];
    if (reason !== undefined) return { kind, reason };
  }
  const kindOf = (device: string) => pair[story.devices[device]?.side ?? "a"];
  for (const spec of Object.values(story.devices)) {
    const kind = pair[spec.side ?? "a"];
    const reason = refusesSpec(story, spec, kind);
    if (reason !== undefined) return { kind, reason };
  }
  for (const [device, capability] of story.steps.flatMap(needsOf)) {
    const kind = kindOf(device);
    const reason = LACKING[kind][capability];
    if (reason !== undefined) return { kind, reason: `${capability}: ${reason}` };
  }
  return undefined;
}

function refusesSpec(
  { policy }: Story,
  { share, read, sync, durable }: DeviceSpec,
  kind: ClientKind,
): string | undefined {
  const lacking = LACKING[kind];
  const wanted = { share: share ?? policy.share, read: read ?? policy.read };
  return (
    (sync === "sliding" ? lacking["sliding-sync"] : undefined) ??
    (durable ? lacking["durable-store"] : undefined) ??
    refusesPolicy(kind, wanted)
  );
}

function needsOf(step: Step): readonly Need[] {
  if ("together" in step) return step.together.flatMap(needsOf);
  if ("begin" in step) return needsOf(step.step);
  if ("insists" in step) return needsOf(step.insists);
  if ("fails" in step) return needsOf(step.fails);
  return NEEDS[step.word]?.(given(step.given)) ?? [];
}

/** What a step was given, as its schema has left it. */
interface Given {
  readonly name: string;
  readonly names: readonly string[];
  readonly by: string;
  readonly of: string;
  readonly who: string;
  readonly via: string;
  readonly all: Readonly<Record<string, unknown>>;
}

function given(value: unknown): Given {
  const all = isObject(value) ? value : {};
  const text = (key: string) => String(all[key] ?? "");
  return {
    name: typeof value === "string" ? value : "",
    names: Array.isArray(value) ? value.map(String) : [],
    by: text("by"),
    of: text("of"),
    who: text("who"),
    via: text("via"),
    all,
  };
}
