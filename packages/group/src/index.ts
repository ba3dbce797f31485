export * as Multicast from "./Multicast.ts"
// new:algorithm adds here
