/** Tags of a requirement, and expressions over them such as `login and not (may or sensitive)`. */
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import type { Requirement } from "./requirement.ts";

const OPERATORS = ["and", "or", "not"];
const TOKEN = /[()]|[^\s()]+/g;
const HELP =
  "join tags by and, or, not and parentheses, for example 'login and not (may or sensitive)'";

type Matches = (tags: ReadonlySet<string>) => boolean;

/** Lower case: suite, level, basis, area (second part of the id), each need, `sensitive`, `unstable`. */
export function tagsOf(requirement: Requirement): ReadonlySet<string> {
  const { id, suite, level, basis, needs, sensitive, unstable } = requirement;
  const [, area = ""] = id.split(".");
  const tags = [
    suite,
    level,
    basis,
    area,
    ...needs,
    ...(sensitive ? ["sensitive"] : []),
    ...(unstable === undefined ? [] : ["unstable"]),
  ];
  return new Set(tags.map((tag) => tag.toLowerCase()));
}

/**
 * Whether a requirement's tags fit the expression. `not` binds closest, then `and`, then `or`.
 *
 * @param known Requirements whose tags may be named.
 * @throws HarnessError BAD_USAGE for a tag that none of them has, and for what is no expression.
 */
export function tagFilter(
  expression: string,
  known: readonly Requirement[],
): (requirement: Requirement) => boolean {
  const tags = new Set(known.flatMap((requirement) => [...tagsOf(requirement)]));
  const matches = new Parser(expression, tags).parse();
  return (requirement) => matches(tagsOf(requirement));
}

class Parser {
  readonly #expression: string;
  readonly #known: ReadonlySet<string>;
  readonly #tokens: string[];

  constructor(expression: string, known: ReadonlySet<string>) {
    this.#expression = expression;
    this.#known = known;
    this.#tokens = expression.toLowerCase().match(TOKEN) ?? [];
  }

  parse(): Matches {
    const matches = this.#either();
    const [extra] = this.#tokens;
    if (extra === undefined) return matches;
    throw this.#bad(extra === ")" ? "a ) has no (" : `and or or is missing before ${extra}`);
  }

  #either(): Matches {
    const left = this.#both();
    if (!this.#takes("or")) return left;
    const right = this.#either();
    return (tags) => left(tags) || right(tags);
  }

  #both(): Matches {
    const left = this.#single();
    if (!this.#takes("and")) return left;
    const right = this.#both();
    return (tags) => left(tags) && right(tags);
  }

  #single(): Matches {
    const token = this.#tokens.shift();
    if (token === undefined) throw this.#bad("a tag is missing at the end");
    if (token === "not") {
      const matches = this.#single();
      return (tags) => !matches(tags);
    }
    if (token === "(") {
      const matches = this.#either();
      if (!this.#takes(")")) throw this.#bad("a ( has no )");
      return matches;
    }
    if (token === ")" || OPERATORS.includes(token))
      throw this.#bad(`a tag is missing before ${token}`);
    if (!this.#known.has(token)) {
      throw this.#bad(`there is no tag ${token}`, didYouMean(token, [...this.#known].sort()));
    }
    return (tags) => tags.has(token);
  }

  #takes(token: string): boolean {
    if (this.#tokens[0] !== token) return false;
    this.#tokens.shift();
    return true;
  }

  #bad(what: string, next: string = HELP): HarnessError {
    return new HarnessError("BAD_USAGE", { what: `--tag ${this.#expression}: ${what}`, next });
  }
}
