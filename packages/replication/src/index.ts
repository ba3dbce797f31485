export type * as Machine from "./Machine.ts"
export * as Replicated from "./Replicated.ts"
export * as Passive from "./Passive.ts"
// new:algorithm adds here
