export { machine } from "./KeyspaceMachine.ts"
export * as Server from "./server/Server.ts"
export { Store } from "./Store.ts"
