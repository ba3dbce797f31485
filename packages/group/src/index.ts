export * as BestEffort from "./BestEffort.ts"
export * as Flooding from "./Flooding.ts"
export * as Multicast from "./Multicast.ts"
export * as NakReliable from "./NakReliable.ts"
export * as Uniform from "./Uniform.ts"
export * as ViewSynchrony from "./ViewSynchrony.ts"
// new:algorithm adds here
