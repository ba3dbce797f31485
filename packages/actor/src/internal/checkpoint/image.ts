/** A member as it stands at the moment of a checkpoint, and as it is on disk. */
import type { Codec } from "@troupe/transport"
import { Exit, Schema } from "effect"
import { HandlerFailed } from "../../ActorRef.ts"
import { bare } from "../observed/Told.ts"
import type { Cell, Message } from "../system/Cell.ts"
import * as Deferred from "../system/Deferred.ts"
import { Envelope, Mark, Poison, Question, Terminated } from "../system/envelopes.ts"
import type { Receive, Still, Timer } from "../system/Moving.ts"
import * as Facilities from "../system/Facilities.ts"
import * as Moving from "../system/Moving.ts"
import { RolledBack } from "./failures.ts"

/** States and messages are read-only: what is held here stays as it was. */
export interface Image {
  readonly state: unknown
  readonly messages: ReadonlyArray<Message>
  /** So many of them were put ahead of all others. */
  readonly ahead?: number | undefined
  readonly stash: ReadonlyArray<Message>
  readonly timers: ReadonlyArray<Timer>
  readonly receive: Receive | undefined
}

/** Who has asked is no part of it. A timer that has run out is one with no time left. */
export const imageOf = (cell: Cell, still: Still): Image => ({
  state: cell.state,
  messages: messagesOf(still.messages),
  ahead: messagesOf(still.messages.slice(0, still.ahead)).length,
  stash: messagesOf(still.stash),
  timers: still.timers.map((timer) => (timer.waits ? { ...timer, waits: false, leftMillis: 0 } : timer)),
  receive: still.receive
})

const messagesOf = (messages: ReadonlyArray<unknown>): ReadonlyArray<Message> =>
  messages.map(bare).filter((message): message is Message => !(message instanceof Envelope))

/** Takes an actor that stands still back to what it was. */
export const goBack = (cell: Cell, image: Image): void => {
  const { messages, stash } = Moving.still(cell)
  const kept = [...messages, ...stash].filter((each) => isKept(cell, each))
  Deferred.refuseAll(cell, cell.rarely(), (question) => rolledBack(cell, question))
  cell.state = image.state
  take(cell, image)
  for (const envelope of kept) cell.box.push(envelope)
  cell.goOn()
}

/** What is not of its past: an end that somebody waits for, and the word that another one has ended. */
const isKept = (cell: Cell, waiting: unknown): boolean => {
  if (waiting instanceof Question) {
    waiting.end(Exit.fail(rolledBack(cell, waiting)))
  } else if (waiting instanceof Mark) waiting.reached()
  return waiting instanceof Poison || waiting instanceof Terminated
}

const rolledBack = ({ path }: Cell, { message }: Question): HandlerFailed =>
  new HandlerFailed({ actor: path, question: message._tag, cause: new RolledBack({ member: path }) })

/** Its messages and timers, in place of those that it has. */
export const take = (cell: Cell, { ahead = 0, messages, receive, stash, timers }: Image): void => {
  const rare = cell.rarely()
  rare.timers?.clearAll()
  rare.ticks.clear()
  rare.receive = undefined
  rare.generation = timers.reduce((most, { generation }) => Math.max(most, generation), rare.generation)
  rare.stash = [...stash]
  Moving.takeUp(cell, { ahead, messages })
  Facilities.goOn(cell, timers, receive)
}

/** How a member is written and read. */
export interface Form {
  readonly version: number
  readonly write: (image: Image) => unknown
  readonly read: (json: unknown, version: number) => Image
}

const TimerShape = {
  timer: Schema.String,
  everyMillis: Schema.Number,
  generation: Schema.Int,
  waits: Schema.Boolean,
  leftMillis: Schema.optional(Schema.Number)
}

export const formOf = (
  message: Codec.MessageSchema<any>,
  state: Codec.MessageSchema<any>,
  version: number,
  upcast: ((state: unknown, version: number) => unknown) | undefined
): Form => {
  const Written = Schema.Struct({
    state,
    messages: Schema.Array(message),
    ahead: Schema.optional(Schema.Int),
    stash: Schema.Array(message),
    timers: Schema.Array(Schema.Struct({ ...TimerShape, message })),
    receive: Schema.optional(Schema.Struct({ afterMillis: Schema.Number, idleMillis: Schema.Number, message }))
  })
  const codec = Schema.toCodecJson(Written)
  const decode = Schema.decodeUnknownSync(codec)
  return {
    version,
    write: Schema.encodeSync(codec) as (image: Image) => unknown,
    read: (json, from) => {
      let older = json as { readonly state: unknown }
      for (let at = from; at < version; at++) {
        if (upcast === undefined) throw new RangeError("it is older, and there is no `upcast`")
        older = { ...older, state: upcast(older.state, at) }
      }
      return decode(older) as unknown as Image
    }
  }
}
