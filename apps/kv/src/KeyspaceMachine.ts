/**
 * The machine that is replicated: keys, their values, until when they last, and locks.
 *
 * A request is a batch of steps, executed one after the other, each seeing what those before it did; their changes are
 * safe together. So what arrives together costs one round. A step is a command, or a transaction of some. A key that has
 * expired is gone for every request from then on, by the time of the replica that executes, and is removed by a fact.
 */
import { type Machine, Trie } from "@troupe/replication"
import { Schema } from "effect"
import { Bytes } from "./Bytes.ts"
import { type Command, hasArity } from "./commands/Command.ts"
import { keyCommands } from "./commands/keys.ts"
import { locks } from "./commands/locks.ts"
import { scripts } from "./commands/scripts.ts"
import { strings } from "./commands/strings.ts"
import * as Facts from "./Facts.ts"
import type * as Keyspace from "./Keyspace.ts"
import * as Reply from "./Reply.ts"
import { View } from "./View.ts"

/** By their names, in capitals. */
export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...strings, ...keyCommands, ...locks, ...scripts })
)

/** The name, in capitals, and the words after it. */
const Words = Schema.Array(Bytes)

const Watched = Schema.Array(Schema.Struct({ key: Bytes, version: Schema.Int }))

export const Step = Schema.Union([
  Schema.TaggedStruct("Run", { words: Words }),
  /** Answered with the versions of the keys; 0 of those that are not there. */
  Schema.TaggedStruct("Watch", { keys: Words }),
  /** All commands, if all keys have the versions still. */
  Schema.TaggedStruct("Transaction", { watched: Watched, commands: Schema.Array(Words) })
])
export type Step = typeof Step.Type

const Request = Schema.Struct({ steps: Schema.Array(Step) })
export type Request = typeof Request.Type

/**
 * Of the first steps: as many as there are replies, one at least. The others were not executed, since the replies had
 * become `largestResponse` long.
 */
const Response = Schema.Array(Reply.schema)
export type Response = typeof Response.Type

/** In bytes: a response is one message. Of one step alone, it is refused. */
export const largestResponse = 6 * 1024 * 1024

const isReadCommand = (words: ReadonlyArray<string>): boolean => commands.get(words[0]!)?.writes === false

const isRead = (step: Step): boolean => {
  if (step._tag === "Transaction") return step.commands.every(isReadCommand)
  return step._tag === "Watch" || isReadCommand(step.words)
}

const runWords = (view: View, words: ReadonlyArray<string>): Reply.Reply => {
  const command = commands.get(words[0]!)
  if (command === undefined) return Reply.failure(`ERR unknown command '${words[0] ?? ""}'`)
  if (!hasArity(command.arity, words.length)) return wrongArity(words[0]!)
  return command.execute(view, words.slice(1))
}

export const wrongArity = (name: string): Reply.Reply =>
  Reply.failure(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)

const runStep = (view: View, step: Step): Reply.Reply => {
  switch (step._tag) {
    case "Run":
      return runWords(view, step.words)
    case "Watch":
      return Reply.multiple(step.keys.map((key) => Reply.integer(view.get(key)?.version ?? 0)))
    case "Transaction": {
      const changed = step.watched.some(({ key, version }) => (view.get(key)?.version ?? 0) !== version)
      return changed ? Reply.noArray : Reply.multiple(step.commands.map((words) => runWords(view, words)))
    }
  }
}

/** About what it takes as a message. */
const sizeOf = (reply: Reply.Reply): number => {
  switch (reply._tag) {
    case "Bulk":
      return reply.bytes.length + 8
    case "Multiple":
    case "Mapping":
      return reply.items.reduce((sum, item) => sum + sizeOf(item), 8)
    default:
      return 16
  }
}

const tooLarge = Reply.failure(`ERR the answer would be larger than ${largestResponse} bytes. Ask for less at a time.`)

const execute = (
  state: Facts.State,
  { steps }: Request,
  { now }: Machine.Moment
): Machine.Execution<Facts.Update, Response> => {
  const view = new View(state, now)
  const response: Array<Reply.Reply> = []
  let bytes = 0
  for (const step of steps) {
    const before = view.updates.length
    let reply = runStep(view, step)
    const size = sizeOf(reply)
    if (size > largestResponse || (bytes > 0 && bytes + size > largestResponse)) {
      if (view.updates.length > before) view.rollBack(before)
      if (size <= largestResponse) break
      reply = tooLarge
    }
    bytes += reply === tooLarge ? 128 : size
    response.push(reply)
  }
  return { response, updates: view.updates }
}

/** How many keys with a time to live are looked at each time, from a random one on. */
const sample = 200

/** As Redis does it: a sample of the keys that expire. What it misses is gone for requests all the same. */
const due = ({ expiring, locks }: Facts.State, { now, random }: Machine.Moment): ReadonlyArray<Facts.Update> => {
  const over = (keyspace: Keyspace.Keyspace): ReadonlyArray<string> => {
    const keys: Array<string> = []
    if (keyspace.size === 0) return keys
    const start = keyspace.size <= sample ? 0 : Math.floor(random() * 2 ** 32)
    let seen = 0
    for (const entry of Trie.from(keyspace, start)) {
      if (seen++ === sample) break
      if (entry.expires <= now) keys.push(entry.key)
    }
    return keys
  }
  const update: Facts.Update = { _tag: "Expired", keys: over(expiring), locks: over(locks), by: now }
  return update.keys.length + update.locks.length > 0 ? [update] : []
}

export const machine: Machine.Machine<Facts.State, Request, Facts.Update, Response> = {
  name: "keyspace",
  init: Facts.init,
  request: Request,
  update: Facts.Update,
  response: Response,
  isRead: ({ steps }) => steps.every(isRead),
  execute,
  apply: Facts.apply,
  dump: Facts.dump,
  housekeeping: { everyMillis: 100, due }
}
