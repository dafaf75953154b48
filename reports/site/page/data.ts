/** Data of the site: scripts beside the page, loaded when they are asked for. */
import {
  CHUNK,
  type SiteChange,
  type SiteDetails,
  type SiteIndex,
  type SitePlots,
} from "#reports/site/data";

interface Global {
  crucibleData: (name: string, text: string) => void;
  trustedTypes?: {
    createPolicy(
      name: string,
      rules: { createScriptURL: (url: string) => string },
    ): { createScriptURL(url: string): string };
  };
}

const FILE = /^data\/[a-z]+(?:-\d+){0,2}\.js$/;
const texts = new Map<string, string>();
const loads = new Map<string, Promise<unknown>>();
const world = globalThis as unknown as Global;

world.crucibleData = (name, text) => void texts.set(name, text);
const policy = world.trustedTypes?.createPolicy("crucible-data", {
  createScriptURL(url) {
    if (!FILE.test(url)) throw new Error(`${url} is no data of this site`);
    return url;
  },
});

/** @throws Error when a file is not there */
async function load<T>(name: string): Promise<T> {
  const known = loads.get(name) ?? fetched(name);
  loads.set(name, known);
  return (await known) as T;
}

function fetched(name: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const script = document.createElement("script");
  const url = `data/${name}.js`;
  script.addEventListener("load", () => {
    resolve(JSON.parse(texts.get(name) ?? "null"));
    texts.delete(name);
    script.remove();
  });
  script.addEventListener("error", () => reject(new Error(`${url} is missing beside this page`)));
  // A browser without trusted types has none to make.
  script.src = policy?.createScriptURL(url) ?? url;
  document.head.append(script);
  return promise;
}

export const data = {
  index: () => load<SiteIndex>("index"),
  plots: () => load<SitePlots>("plots"),
  changes: (before: number, after: number) =>
    load<readonly SiteChange[]>(`changes-${before}-${after}`),
  async details(requirement: number): Promise<SiteDetails | undefined> {
    const chunk = await load<readonly SiteDetails[]>(`details-${Math.floor(requirement / CHUNK)}`);
    return chunk[requirement % CHUNK];
  },
};
