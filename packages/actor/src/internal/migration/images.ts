/** An actor that stands still, as bytes, and what is made of them at another node. */
import { Codec } from "@troupe/transport"
import { Context, Effect, type Exit } from "effect"
import type { Behavior } from "../../Behavior.ts"
import { traceOf } from "../observed/Spans.ts"
import { Told } from "../observed/Told.ts"
import { TracedQuestion } from "../observed/TracedQuestion.ts"
import { Enlistment } from "../receptionist/Desk.ts"
import type { Key } from "../receptionist/talk.ts"
import type { Cell, Message } from "../system/Cell.ts"
import { messageOf } from "../system/codecs.ts"
import { Envelope, Mark, Poison, Question, Tick } from "../system/envelopes.ts"
import type { Still } from "../system/Moving.ts"
import { read } from "../system/reading.ts"
import type { Remote } from "../system/Remote.ts"
import type { System } from "../system/System.ts"
import { has, type Movable } from "./Movable.ts"
import type { Entry, Image, Kind, Way } from "./words.ts"

/** Who asks, by node and number. */
interface Asker {
  readonly node: string
  readonly number: number
}

export type Name = (question: Question) => Asker

/** Of questions that have come from other nodes. */
const askers = new WeakMap<Question, Asker>()

export const askerOf = (question: Question): Asker | undefined => askers.get(question)

/** It is at another node now: a question of a third one's is that one's, and who waits for a mark has waited long enough. */
export const detach = (taken: unknown): void => {
  if (taken instanceof Mark && !(taken instanceof Enlistment)) return taken.reached()
  if (!(taken instanceof Question) || !askers.has(taken)) return
  taken.list?.remove(taken)
  taken.resume = undefined
}

/** What it is to another node: nothing, if it is no more worth anything there. Throws where it is not of its schema. */
export const entryOf = (system: System, codec: Codec.Codec<any>, message: unknown, name: Name): Entry | undefined => {
  if (message instanceof Question) {
    if (message.isOver) return undefined
    const leftMillis = message.leftMillis(system.monotonicMillis())
    const millis = Number.isFinite(leftMillis) ? Math.max(1, leftMillis) : 0
    const trace = message instanceof TracedQuestion ? { trace: traceOf(message.span) } : {}
    return { _tag: "Question", bytes: Codec.encode(codec, message.message), millis, ...name(message), ...trace }
  }
  if (message instanceof Told) {
    return { _tag: "Message", bytes: Codec.encode(codec, message.message), trace: traceOf(message.span) }
  }
  if (message instanceof Tick) return { _tag: "Tick", timer: message.timer, generation: message.generation }
  if (message instanceof Poison) return { _tag: "Drain" }
  if (message instanceof Enlistment) return { _tag: "Listing", key: message.key, isListed: message.isListed }
  return message instanceof Envelope ? undefined : { _tag: "Message", bytes: Codec.encode(codec, message) }
}

/** Throws where the state, or a timer's message, is not of its schema. */
export const imageOf = (
  movable: Movable,
  cell: Cell,
  kind: Kind,
  still: Still,
  entries: (messages: ReadonlyArray<unknown>) => ReadonlyArray<Entry>
): Image => {
  const codec = messageOf(cell.behavior.messages)
  const context = cell.behavior.context ?? cell.system.context
  const isStrong = kind === "strong"
  const { generation, receive, stash, timers } = still
  // Who starts anew has put nothing aside, and has set no timer.
  const messages = isStrong
    ? still.messages
    : [...stash, ...still.messages.filter((message) => !(message instanceof Tick))]
  const ahead = isStrong ? entries(messages.slice(0, still.ahead)) : []
  return {
    state: Codec.encode(movable.state, cell.state),
    values: movable.bindings.flatMap(({ codec, key }) =>
      codec === undefined ? [] : [{ key: key.key, bytes: Codec.encode(codec, Context.getUnsafe(context, key)) }]
    ),
    messages: [...ahead, ...entries(isStrong ? messages.slice(still.ahead) : messages)],
    ahead: ahead.length,
    stash: isStrong ? entries(stash) : [],
    timers: isStrong
      ? timers.map(({ leftMillis, message, ...timer }) => ({
          ...{ ...timer, message: Codec.encode(codec, message) },
          ...(leftMillis === undefined ? {} : { leftMillis })
        }))
      : [],
    generation,
    ...(isStrong && receive !== undefined
      ? { receive: { ...receive, message: Codec.encode(codec, receive.message) } }
      : {})
  }
}

/** An actor that has come, before it lives. */
export interface Arrival {
  readonly kind: Kind
  readonly behavior: Behavior<any, any>
  readonly state: unknown
  readonly still: (cell: Cell) => Still
  readonly ways: ReadonlyArray<Way>
  readonly places: ReadonlyArray<string>
  readonly keys: ReadonlyArray<Key>
}

export type Answering = (node: string, number: number, tag: string, exit: Exit.Exit<any, any>) => void

/** What an entry is to the actor itself. */
export const rawOf = (
  entry: Entry,
  message: Message | undefined,
  cell: Cell,
  messageOfTimer: (timer: string) => unknown,
  answer: Answering
): unknown => {
  const { spans } = cell.system.observation ?? {}
  switch (entry._tag) {
    case "Message":
      return spans === undefined || entry.trace === undefined ? message : spans.told(message!, entry.trace)
    case "Question": {
      const { millis, node, number, trace } = entry
      const isTraced = spans !== undefined && trace !== undefined
      const question = isTraced ? spans.arrived(message!, cell, trace) : new Question(message!, cell)
      askers.set(question, { node, number })
      question.resume = (exit) => answer(node, number, message!._tag, exit)
      if (millis > 0) cell.system.patience(Math.ceil(millis)).add(question)
      return question
    }
    case "Tick":
      return new Tick(entry.timer, entry.generation, messageOfTimer(entry.timer))
    case "Drain":
      return new Poison()
    case "Listing":
      return new Enlistment(cell, entry.key, entry.isListed)
    default:
      return undefined
  }
}

export const messageIn = (remote: Remote, messages: Behavior<any>["messages"], entry: Entry): Message | undefined =>
  entry._tag === "Message" || entry._tag === "Question"
    ? read(remote, messageOf(messages), { bytes: entry.bytes })
    : undefined

/** Throws what is not of its schema here. */
export const arrivalOf = (
  remote: Remote,
  movable: Movable,
  kind: Kind,
  image: Image,
  here: Context.Context<never>,
  answer: Answering
): Omit<Arrival, "ways" | "places" | "keys"> => {
  const { messages } = movable.behavior
  const codec = messageOf(messages)
  const state = read(remote, movable.state, { bytes: image.state })
  let context = here
  for (const { bytes, key: name } of image.values) {
    const binding = movable.bindings.find(({ key }) => key.key === name)
    // The copy of here is taken where there is one.
    if (binding?.codec === undefined || has(here, binding.key)) continue
    context = Context.add(context, binding.key, read(remote, binding.codec, { bytes })) as Context.Context<never>
  }
  const timers = image.timers.map(({ message, leftMillis, ...timer }) => ({
    ...{ ...timer, leftMillis },
    message: read(remote, codec, { bytes: message })
  }))
  const messageOfTimer = (name: string): unknown => timers.find(({ timer }) => timer === name)?.message
  const opened = (entries: ReadonlyArray<Entry>) =>
    entries.map((entry) => [entry, messageIn(remote, messages, entry)] as const)
  const [waiting, stash] = [opened(image.messages), opened(image.stash)]
  const receive = image.receive && { ...image.receive, message: read(remote, codec, { bytes: image.receive.message }) }
  const plain = { ...movable.behavior, context }
  return {
    ...{ kind, state },
    behavior: kind === "strong" ? plain : { ...plain, init: (self) => movable.from(state, self) },
    still: (cell) => {
      const raw = (all: typeof waiting) =>
        all.map(([entry, message]) => rawOf(entry, message, cell, messageOfTimer, answer))
      const { ahead, generation } = image
      return { messages: raw(waiting), ahead, stash: raw(stash), timers, generation, receive }
    }
  }
}

/** A first state for `from` that has none: what came along, after what `init` does besides. */
export const startedAs =
  (behavior: Behavior<any, any>) =>
  (moved: unknown, self: any): unknown => {
    const first = behavior.init(self)
    return behavior.kind === "effect" ? Effect.as(first as Effect.Effect<unknown>, moved) : moved
  }
