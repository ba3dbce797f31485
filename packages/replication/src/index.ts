export type * as Machine from "./Machine.ts"
export * as Replicated from "./Replicated.ts"
export * as LocalWrite from "./LocalWrite.ts"
export * as Naive from "./Naive.ts"
export * as Passive from "./Passive.ts"
export * as Single from "./Single.ts"
export * as Trie from "./Trie.ts"
// new:algorithm adds here
