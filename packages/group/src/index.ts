export * as BestEffort from "./BestEffort.ts"
export * as Multicast from "./Multicast.ts"
// new:algorithm adds here
