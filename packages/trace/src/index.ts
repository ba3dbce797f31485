export { merge } from "./Merge.ts"
export * as Recorder from "./Recorder.ts"
export * as Trace from "./Trace.ts"
export { VectorClocks } from "./VectorClocks.ts"
