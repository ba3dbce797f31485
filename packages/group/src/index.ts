export * as BestEffort from "./BestEffort.ts"
export * as Flooding from "./Flooding.ts"
export * as Multicast from "./Multicast.ts"
export * as Uniform from "./Uniform.ts"
// new:algorithm adds here
