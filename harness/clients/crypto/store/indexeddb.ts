/**
 * IndexedDB for libraries that keep their keys in it, as a file: loaded when the process starts, written whenever the
 * client is about to be seen by others. A process that is killed comes back with what was written last, as a browser does
 * with its last transaction.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";

// What is used of the browser's interface; its types would bring all of a browser's globals with them.
interface Request<Value> {
  readonly result: Value;
  readonly error: unknown;
  onsuccess: () => void;
  onerror: () => void;
  onupgradeneeded: () => void;
}
interface Transaction {
  readonly error: unknown;
  objectStore(name: string): ObjectStore;
  oncomplete: () => void;
  onerror: () => void;
}
interface ObjectStore {
  readonly name: string;
  readonly keyPath: string | string[] | null;
  readonly autoIncrement: boolean;
  readonly indexNames: Iterable<string>;
  index(name: string): StoreDump["indexes"][number];
  createIndex(name: string, keyPath: string | string[], options: object): unknown;
  getAllKeys(): Request<unknown[]>;
  getAll(): Request<unknown[]>;
  put(value: unknown, key?: unknown): unknown;
}
interface Database {
  readonly version: number;
  readonly objectStoreNames: Iterable<string>;
  transaction(stores: readonly string[], mode: "readonly" | "readwrite"): Transaction;
  createObjectStore(name: string, options: object): ObjectStore;
  close(): void;
}
interface Factory {
  databases(): Promise<readonly { readonly name?: string }[]>;
  open(name: string, version?: number): Request<Database>;
}

interface StoreDump {
  readonly name: string;
  readonly keyPath: string | string[] | null;
  readonly autoIncrement: boolean;
  readonly indexes: readonly {
    readonly name: string;
    readonly keyPath: string | string[];
    readonly unique: boolean;
    readonly multiEntry: boolean;
  }[];
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

interface DatabaseDump {
  readonly name: string;
  readonly version: number;
  readonly stores: readonly StoreDump[];
}

/** Puts IndexedDB into this process, with what the file holds; none: empty. */
export async function loadIndexedDb(file: string): Promise<void> {
  await import("fake-indexeddb/auto");
  if (!existsSync(file)) return;
  for (const dump of deserialize(readFileSync(file)) as DatabaseDump[]) await create(dump);
}

/** The whole file is old or new, whenever the process dies. */
export async function writeIndexedDb(file: string): Promise<void> {
  const dumps: DatabaseDump[] = [];
  for (const { name } of await factory().databases()) {
    if (name !== undefined) dumps.push(await dumpOf(name));
  }
  const draft = `${file}.draft`;
  writeFileSync(draft, serialize(dumps), { mode: 0o600 });
  renameSync(draft, file);
}

async function dumpOf(name: string): Promise<DatabaseDump> {
  const database = await answer(factory().open(name));
  const stores: StoreDump[] = [];
  const names = [...database.objectStoreNames];
  if (names.length > 0) {
    // All stores in one transaction: what is written is one moment.
    const transaction = database.transaction(names, "readonly");
    const reads = names.map(async (storeName) => {
      const store = transaction.objectStore(storeName);
      const [keys, values] = await Promise.all([
        answer(store.getAllKeys()),
        answer(store.getAll()),
      ]);
      stores.push({ ...shapeOf(store), keys, values });
    });
    await Promise.all(reads);
  }
  const { version } = database;
  database.close();
  return { name, version, stores };
}

function shapeOf(store: ObjectStore): Omit<StoreDump, "keys" | "values"> {
  const { name, keyPath, autoIncrement } = store;
  const indexes = [...store.indexNames].map((indexName) => {
    const index = store.index(indexName);
    return {
      name: indexName,
      keyPath: index.keyPath,
      unique: index.unique,
      multiEntry: index.multiEntry,
    };
  });
  return { name, keyPath, autoIncrement, indexes };
}

async function create({ name, version, stores }: DatabaseDump): Promise<void> {
  const opening = factory().open(name, version);
  opening.onupgradeneeded = () => {
    for (const { name: storeName, keyPath, autoIncrement, indexes } of stores) {
      const store = opening.result.createObjectStore(storeName, { keyPath, autoIncrement });
      for (const index of indexes) {
        const { unique, multiEntry } = index;
        store.createIndex(index.name, index.keyPath, { unique, multiEntry });
      }
    }
  };
  const database = await answer(opening);
  if (stores.length > 0) {
    const transaction = database.transaction(
      stores.map((store) => store.name),
      "readwrite",
    );
    for (const { name: storeName, keyPath, keys, values } of stores) {
      const store = transaction.objectStore(storeName);
      for (const [at, value] of values.entries()) {
        if (keyPath === null) store.put(value, keys[at]);
        else store.put(value);
      }
    }
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = () => reject(transaction.error);
    });
  }
  database.close();
}

function factory(): Factory {
  return (globalThis as unknown as { readonly indexedDB: Factory }).indexedDB;
}

function answer<Value>(request: Request<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
