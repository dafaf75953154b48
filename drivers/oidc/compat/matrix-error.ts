/** Answers in the form of the client-server API. */
import type { Context } from "../http.ts";

/** A request that is refused with an error of the client-server API. */
export class MatrixError extends Error {
  readonly status: number;
  readonly errcode: string;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    errcode: string,
    error: string,
    more: Readonly<Record<string, unknown>> = {},
  ) {
    super(error);
    this.status = status;
    this.errcode = errcode;
    this.more = more;
  }
}

export function answerMatrixError(context: Context, error: MatrixError): void {
  context.status = error.status;
  context.body = { errcode: error.errcode, error: error.message, ...error.more };
}

/** The body as a JSON object. @throws MatrixError */
export function objectOf(text: string): ReadonlyMap<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new MatrixError(400, "M_NOT_JSON", "the body is not JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new MatrixError(400, "M_BAD_JSON", "the body has to be an object");
  }
  return new Map(Object.entries(body));
}

/** A field that has to be a string where it is there. @throws MatrixError */
export function textIn(body: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = body.get(name);
  if (value === undefined || typeof value === "string") return value;
  throw new MatrixError(400, "M_BAD_JSON", `${name} has to be a string`);
}

export function missing(name: string): MatrixError {
  return new MatrixError(400, "M_MISSING_PARAM", `${name} is missing`);
}
