export * as LamportClock from "./LamportClock.ts"
export * as LamportTimestamp from "./LamportTimestamp.ts"
export * from "./LogicalClock.ts"
