/** How many encrypted messages to devices clients have sent, as the gateway sees them: each may be a key that somebody lacks. */
import type { Deployment } from "#harness/deployment/deployment";
import { targetsIn } from "#harness/gateway/broken-peers";
import type { Exchange } from "#harness/gateway/exchange";

const PATH = "/_matrix/client/v3/sendToDevice/m.room.encrypted/";

export class KeyMessages implements Disposable {
  readonly #unwatch: () => void;
  count = 0;

  constructor(deployment: Pick<Deployment, "watch">) {
    this.#unwatch = deployment.watch((exchange) => this.#take(exchange));
  }

  [Symbol.dispose](): void {
    this.#unwatch();
  }

  /** What is sent again without an answer counts again. */
  #take({ from, path, request: { body } }: Exchange): void {
    if (from === "client" && path.startsWith(PATH)) this.count += targetsIn(parsed(body));
  }
}

/** Undefined when it is cut: a body that the trace does not have whole. */
function parsed(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    return undefined;
  }
}
