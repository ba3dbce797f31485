export * as History from "./History.ts"
export type { Specification } from "./Specification.ts"
export type * as Transactions from "./Transactions.ts"
export type { Budget, Culprit, Verdict } from "./Verdict.ts"
