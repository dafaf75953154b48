import { request } from "node:http";
import path from "node:path";
import { expect, test } from "vitest";
import { openSite } from "./serve.ts";

const FOLDER = path.join(import.meta.dirname, "../../tardis/examples");

interface Reply {
  readonly status: number | undefined;
  readonly body: string;
}

function ask(url: string, options: { method?: string; host?: string } = {}): Promise<Reply> {
  const { method = "GET", host } = options;
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, ...(host ? { headers: { host } } : {}) }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    asked.on("error", reject).end();
  });
}

test("a folder is listed; other names of this machine, other methods and other paths are refused", async () => {
  await using site = await openSite([FOLDER], 0);

  const list = await ask(site.url);

  expect(list.status).toBe(200);
  expect(list.body.match(/<li>/g)).toHaveLength(site.files);
  for (const host of ["evil.example", "127.0.0.1:1", "localhost"]) {
    expect(await ask(site.url, { host }), host).toMatchObject({ status: 403 });
  }
  expect(await ask(site.url, { method: "POST" })).toMatchObject({ status: 405 });
  for (const where of ["99999", "../package.json", "%2e%2e/package.json", "-1", "constructor"]) {
    expect(await ask(`${site.url}${where}`), where).toMatchObject({ status: 404 });
  }
});

test("what is not there is told", async () => {
  await expect(openSite([path.join(FOLDER, "none")], 0)).rejects.toThrow("can not be read");
});
