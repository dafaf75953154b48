/** The admin side's listener: only for the driver, which knows its secret. */
import { createServer, type Server } from "node:http";
import { isSame } from "../http.ts";
import type { Question, Questions } from "./questions.ts";

export function controlListener(questions: Questions, secret: string): Server {
  return createServer(async (request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body ?? null));
    };
    try {
      if (!isSame(request.headers.authorization ?? "", `Bearer ${secret}`)) {
        answer(401, { trouble: "the secret is wrong" });
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { name, parameters } = JSON.parse(Buffer.concat(chunks).toString()) as Question;
      const asked = questions[name] as (...given: readonly unknown[]) => Promise<unknown>;
      answer(200, await asked(...parameters));
    } catch (error) {
      answer(500, { trouble: error instanceof Error ? error.message : String(error) });
    }
  });
}
