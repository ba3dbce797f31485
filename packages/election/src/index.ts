export * as Bully from "./Bully.ts"
export * from "./Election.ts"
