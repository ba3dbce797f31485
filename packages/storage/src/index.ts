export * as MemoryStorage from "./MemoryStorage.ts"
export * from "./Storage.ts"
