export * as Faults from "./Faults.ts"
export type { Property, Verdict, World } from "./Property.ts"
export * as Replay from "./Replay.ts"
export * as Simulation from "./Simulation.ts"
