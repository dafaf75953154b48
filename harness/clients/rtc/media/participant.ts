/**
 * A participant of LiveKit with media: it publishes a tone of its own or a test picture, hears and sees the others, and has their keys.
 * Each is a process; its end is seen by the SFU as a participant that leaves, and its death as one that crashes.
 */
import { fileURLToPath } from "node:url";
import { LineProcess } from "#harness/clients/crypto/process/line-process";
import { secret } from "#harness/clients/crypto/secret";
import { HarnessError } from "#harness/errors";
import type { JoinOrder, MediaReport } from "./report.ts";

export interface JoinMedia extends Omit<JoinOrder, "token"> {
  readonly token: string;
  /** Who it is in messages, such as `alice`. */
  readonly name: string;
  /** Its end kills the process, as that of a check's deadline. */
  readonly signal: AbortSignal;
}

/** For what it is asked to do; publishing where it may not ends after 10 s. */
const ANSWER_MS = 20_000;
const END_GRACE_MS = 2_000;

export class MediaParticipant implements AsyncDisposable {
  readonly name: string;
  readonly #process: LineProcess;
  #identity = "";

  private constructor({ name, signal }: Pick<JoinMedia, "name" | "signal">) {
    this.name = name;
    this.#process = mediaProcess(name, signal);
  }

  /** @throws Error with the library's reason when the SFU does not let it in */
  static async join({ token, name, signal, ...order }: JoinMedia): Promise<MediaParticipant> {
    const participant = new MediaParticipant({ name, signal });
    try {
      const told: JoinOrder = { ...order, token: secret(token) };
      participant.#identity = (await participant.#ask("join", told)) as string;
      return participant;
    } catch (error) {
      await participant.kill();
      throw error;
    }
  }

  /** As its token says. */
  get identity(): string {
    return this.#identity;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves once the SFU has taken the track, with its id there. @param hz one of TONES */
  async publishTone(hz: number): Promise<string> {
    return (await this.#ask("publishTone", hz)) as string;
  }

  async publishPicture(): Promise<string> {
    return (await this.#ask("publishPicture")) as string;
  }

  async unpublish(track: string): Promise<void> {
    await this.#ask("unpublish", track);
  }

  /** @param identity whose key it is, such as its own */
  async setKey(identity: string, index: number, key: Uint8Array): Promise<void> {
    await this.#ask("setKey", identity, index, key);
  }

  /** Which of its own keys it encrypts with, what it publishes from now on excepted: that begins with 0. */
  async useKey(index: number): Promise<void> {
    await this.#ask("useKey", index);
  }

  async report(): Promise<MediaReport> {
    return (await this.#ask("report")) as MediaReport;
  }

  /** Tells the SFU that it goes; it still reports what it has heard. */
  async leave(): Promise<void> {
    await this.#ask("leave");
  }

  /** As a client that crashes. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end(END_GRACE_MS);
  }

  async #ask(method: string, ...parameters: readonly unknown[]): Promise<unknown> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(
        new HarnessError("DEADLINE", {
          what: `the process of ${this.name} gave no answer to ${method} within ${ANSWER_MS} ms`,
          next: "the machine has too much to do, or the native library hangs: see the log of the SFU",
        }),
      );
    }, ANSWER_MS);
    try {
      return await Promise.race([this.#process.ask(method, ...parameters), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A process that can become a participant. */
export function mediaProcess(who: string, signal?: AbortSignal): LineProcess {
  const [, extension = "ts"] = /\.(\w+)$/.exec(import.meta.url) ?? [];
  const file = fileURLToPath(new URL(`./child.${extension}`, import.meta.url));
  return new LineProcess(who, process.execPath, [file], {
    env: { NODE_NO_WARNINGS: "1" },
    ...(signal && { signal }),
  });
}
