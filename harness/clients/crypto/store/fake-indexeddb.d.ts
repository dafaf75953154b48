/** The package has no types for this entry: it puts IndexedDB into the global scope. */
declare module "fake-indexeddb/auto";
