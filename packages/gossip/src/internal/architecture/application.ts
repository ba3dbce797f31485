/** What is replicated, as a pure value. */
import type { Codec } from "@troupe/transport"

/**
 * @typeParam Value the state of a replica: plain readonly data
 * @typeParam Update what changes it, and reads nothing
 * @typeParam Query what is asked of it, and changes nothing
 * @typeParam Answer what a query is told
 */
export interface Application<in out Value, in out Update, in out Query, in out Answer> {
  /** Names its channels and logs. */
  readonly name: string
  readonly empty: Value
  /** For snapshots of what a replica persists. */
  readonly values: Codec.MessageSchema<Value>
  readonly updates: Codec.MessageSchema<Update>
  readonly queries: Codec.MessageSchema<Query>
  readonly answers: Codec.MessageSchema<Answer>
  /**
   * The value after an update. It must not fail: every replica applies every update. Concurrent causal updates come in
   * different orders at different replicas, and should come to the same there.
   */
  readonly apply: (value: Value, update: Update) => Value
  readonly query: (value: Value, query: Query) => Answer
  /** Whether two values are the same to clients. Without it, timestamps alone are compared. */
  readonly equals?: (first: Value, second: Value) => boolean
}
