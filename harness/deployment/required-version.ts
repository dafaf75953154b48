/** That what runs is what was meant: a verdict on an old image says nothing of the change that is to be judged. */
import { HarnessError } from "#harness/errors";
import type { DeployedServer } from "./plan.ts";

const HASH = /^[\da-f]{7,40}$/;

/**
 * Of the servers of a deployment those that are started as hs1 is have to say this version at
 * `GET /_matrix/federation/v1/version`.
 *
 * @param meant a version, or a commit of which the server says at least seven digits
 * @throws HarnessError BAD_USAGE
 */
export function requireVersion(
  servers: readonly Pick<DeployedServer, "role" | "spec" | "identity">[],
  meant: string,
): void {
  const subject = servers.find(({ role }) => role === "hs1")?.spec.text;
  const others = servers
    .filter(({ spec }) => spec.text === subject)
    .filter(({ identity }) => !says(identity.said, meant));
  if (others.length === 0) return;
  throw new HarnessError("BAD_USAGE", {
    what: `what runs is not ${meant}`,
    facts: others.map(
      ({ role, spec, identity }) => `${role} (${spec.text}) says that it is ${identity.said}`,
    ),
    next: "build or pull it again, or say with --hs-version what it is",
  });
}

/** Servers write `1.2.3`, `1.2.3 (b=develop,0123abc)`, `0.13.8+0123abc`. */
export function says(said: string, meant: string): boolean {
  const wanted = meant.toLowerCase();
  const words = said.toLowerCase().split(/[\s(),=+]+/);
  return words.some(
    (word) => word === wanted || (HASH.test(word) && HASH.test(wanted) && isShort(word, wanted)),
  );
}

function isShort(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}
