/** Faults of links, as a journal has them. */
import type { JournalBody } from "#chaos/journal/record";
import type { FaultStep } from "#scenarios/plan";

export function beginOf(fault: FaultStep): JournalBody {
  return {
    t: "fault",
    id: fault.id,
    kind: KINDS[fault.fault] ?? "custom",
    name: fault.title ?? fault.fault,
    links: fault.links.map((link) => {
      const [from = "", to = ""] = link.split(">");
      return [`${from}.test`, `${to}.test`] as const;
    }),
    value: fault.fault,
  };
}

export function healOf({ id, title, fault }: FaultStep, fired: number): JournalBody {
  return { t: "fault", id, kind: "heal", name: `heal ${title ?? fault}`, value: fault, fired };
}

const KINDS: Readonly<Record<string, "netsplit" | "delay" | "drop">> = {
  refuse: "netsplit",
  reset: "netsplit",
  blackhole: "netsplit",
  disconnect: "netsplit",
  "wrong-certificate": "netsplit",
  delay: "delay",
  "slow-body": "delay",
  reorder: "delay",
  "drop-request": "drop",
  "drop-answer": "drop",
};
