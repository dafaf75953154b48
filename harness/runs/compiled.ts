import { placeInCache } from "#harness/cache";

/** For our own programs in processes of their own: what one Node has compiled the next does not compile again. */
export function compiledBefore(): { readonly NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: placeInCache("compiled") };
}
