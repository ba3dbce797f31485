export * as FencedResource from "./FencedResource.ts"
export * from "./Mutex.ts"
export * as RicartAgrawala from "./RicartAgrawala.ts"
