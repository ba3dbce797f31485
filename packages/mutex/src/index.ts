export * from "./Mutex.ts"
export * as RicartAgrawala from "./RicartAgrawala.ts"
