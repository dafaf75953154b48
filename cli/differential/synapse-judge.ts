/** A child process that has Synapse's resolver answer DAGs, many at a time. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { HarnessError } from "#harness/errors";
import type { CompiledDag } from "#protocol/dag/dag-file";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { Answer } from "./answer.ts";

/** `trouble`: Synapse failed over the DAG. */
export type Told =
  | { readonly answer: Answer & { readonly isDoublyComputed: boolean } }
  | { readonly trouble: string };

type AnyTold = { readonly answer: object } | { readonly trouble: string };

const SCRIPT = path.join(import.meta.dirname, "judge.py");
const TAIL = 4_000;

export class SynapseJudge implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, PromiseWithResolvers<AnyTold>>();
  #asked = 0;
  #stderr = "";
  #end: HarnessError | undefined;

  /** @param python of an environment that has Synapse */
  constructor(python: string) {
    // It ends when its input does, so nothing is left behind by a crash of ours.
    this.#child = spawn(python, [SCRIPT], { stdio: "pipe" });
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-TAIL);
    });
    createInterface(this.#child.stdout).on("line", (line) => this.#hear(line));
    this.#child.once("error", (error) => this.#fail(error.message));
    this.#child.once("close", (code) => this.#fail(`it ended with code ${code}`));
    // What it does not take is told by its end.
    this.#child.stdin.on("error", () => {});
  }

  /** @throws HarnessError INTERNAL when the child ends */
  ask(dag: CompiledDag, version: RoomVersion): Promise<Told> {
    return this.#ask(dag, version, {}) as Promise<Told>;
  }

  /**
   * The least time of some rounds of resolving, milliseconds; auth chains and subgraph are not part of it.
   *
   * @throws HarnessError INTERNAL when the child ends or can not do it
   */
  async time(dag: CompiledDag, version: RoomVersion, rounds: number): Promise<number> {
    const told = await this.#ask(dag, version, { rounds });
    if ("answer" in told) return (told.answer as { readonly ms: number }).ms;
    throw new HarnessError("INTERNAL", { what: `Synapse's resolver failed: ${told.trouble}` });
  }

  #ask(dag: CompiledDag, version: RoomVersion, more: object): Promise<AnyTold> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = this.#asked++;
    const waiting = Promise.withResolvers<AnyTold>();
    this.#waiting.set(id, waiting);
    const events = dag.events.map((event) => ({
      ...event,
      isRejected: dag.rejected.has(event.id),
    }));
    const roomId = dag.events[0]?.roomId;
    const { stateSets } = dag;
    this.#child.stdin.write(
      `${JSON.stringify({ id, version: version.id, roomId, events, stateSets, ...more })}\n`,
    );
    return waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  #hear(line: string): void {
    const { id, ...told } = JSON.parse(line) as { id: number } & AnyTold;
    this.#waiting.get(id)?.resolve(told);
    this.#waiting.delete(id);
  }

  #fail(why: string): void {
    this.#end ??= new HarnessError("INTERNAL", {
      what: "the judge with Synapse's resolver is gone",
      facts: [why, ...this.#stderr.trim().split("\n").slice(-8)],
    });
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}
