export * from "./FailureDetector.ts"
export * as Heartbeat from "./Heartbeat.ts"
export * as Swim from "./Swim.ts"
