export * from "./FailureDetector.ts"
export * as Heartbeat from "./Heartbeat.ts"
