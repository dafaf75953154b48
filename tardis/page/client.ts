/** The page's side of the worker. */
import type { QuestionName, Questions } from "#tardis/view/messages";

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): {
    createScriptURL(url: string): string;
  };
}

export class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;

  /** @param code of the worker, which comes with the page */
  constructor(code: string) {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
    const policy = trustedTypes?.createPolicy("crucible-worker", {
      createScriptURL: (given) => {
        if (given !== url) throw new Error("not the worker of this page");
        return given;
      },
    });
    this.#worker = new Worker(policy?.createScriptURL(url) ?? url);
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data.answer);
      else waiting?.reject(new Error(data.error));
    };
    this.#worker.onerror = ({ message }) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(message));
      this.#waiting.clear();
    };
  }

  ask<Name extends QuestionName>(
    name: Name,
    ask: Questions[Name]["ask"],
  ): Promise<Questions[Name]["answer"]> {
    const waiting = Promise.withResolvers<unknown>();
    this.#last++;
    this.#waiting.set(this.#last, waiting);
    this.#worker.postMessage({ id: this.#last, name, ask });
    return waiting.promise as Promise<Questions[Name]["answer"]>;
  }
}
