/** Recovery keys and the like, so that no message and no log has them by accident. */
import { inspect } from "node:util";
import type { Secret } from "./crypto-client.ts";

const SHOWN = "<secret>";

class Hidden implements Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal = (): string => this.#text;

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}

export function secret(text: string): Secret {
  return new Hidden(text);
}

export function isSecret(value: unknown): value is Secret {
  return value instanceof Hidden;
}
