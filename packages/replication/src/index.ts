export type * as Machine from "./Machine.ts"
export * as Replicated from "./Replicated.ts"
// new:algorithm adds here
