/** What is done with a command, and what a command may do with the conversation that it is part of. */
import type { Step } from "../KeyspaceMachine.ts"
import type * as Reply from "../Reply.ts"
import type { Version } from "../resp/Writer.ts"

export type Action =
  | { readonly _tag: "Answer"; readonly reply: Reply.Reply }
  /** `answer` is what its reply is to the client. The next command waits for it if `alone`. */
  | {
      readonly _tag: "Execute"
      readonly step: Step
      readonly answer: ((reply: Reply.Reply) => Reply.Reply) | undefined
      readonly alone: boolean
    }
  /** What takes asking the replica, or time. */
  | { readonly _tag: "Perform"; readonly what: "INFO" | "WAIT" | "LOCK.ACQUIRE"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "Quit" }

export interface Environment {
  readonly id: number
  readonly node: string
  readonly password: string | undefined
  readonly maxPipeline: number
  /** What `CONFIG GET` tells. */
  readonly configuration: Readonly<Record<string, string>>
}

export const answer = (reply: Reply.Reply): Action => ({ _tag: "Answer", reply })

/** What the server knows of a client. */
export interface Conversation {
  readonly environment: Environment
  version: Version
  name: string
  isAuthenticated: boolean
  readonly authenticate: (given: string) => boolean
  readonly begin: () => Reply.Reply
  readonly discard: () => Reply.Reply
  readonly execute: () => Action
  readonly watch: (keys: ReadonlyArray<string>) => Action
  readonly unwatch: () => Reply.Reply
  readonly reset: () => void
}
