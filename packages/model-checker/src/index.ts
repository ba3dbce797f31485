export * as Checker from "./Checker.ts"
export * as Model from "./Model.ts"
export * as Property from "./Property.ts"
export * as System from "./System.ts"
