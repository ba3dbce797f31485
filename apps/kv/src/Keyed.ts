/**
 * The keyspace, key by key: what it comes to where each key is replicated apart.
 *
 * A key has a machine of its own, in whose state it is the only one, and has no name: whoever keeps the state has it. A step
 * of one key is a part. One of several becomes a part for each, and is not atomic; a transaction of several is refused.
 * Locks are spread over a number of machines, each of which gives growing tokens and is kept for ever: so a lock's tokens
 * grow though nothing is kept of a lock that nobody holds. What is asked of all keys is answered from this node's copy.
 */
import { type Machine, Trie } from "@troupe/replication"
import { commandOf, commands, run } from "./commands/all.ts"
import type { Command } from "./commands/Command.ts"
import * as Facts from "./Facts.ts"
import * as Integers from "./Integers.ts"
import * as Reply from "./Reply.ts"
import { largestResponse, type Request, type Response, sizeOf, type Step, tooLarge } from "./Request.ts"
import { type Listing, View } from "./View.ts"

type Part = Machine.Part<Request>
type Run = Step & { readonly _tag: "Run" }
type Transaction = Step & { readonly _tag: "Transaction" }
type Words = ReadonlyArray<string>

/** The more there are, the less locks are in each other's way. */
const lockMachines = 1024

/** No key has the first character: keys are bytes. */
const nameOf = (index: number): string => `\u0100${index}`
const isOfLocks = (name: string): boolean => name.charCodeAt(0) === 0x100
const machineOf = (lock: string): string => nameOf(Trie.hash(lock) % lockMachines)

/** What a key is called in its own machine. */
const anonymous = ""

// ------------------------------------------------------------------------------------------------------------- the parts

/** How many parts a step has. */
const countOf = (step: Step): number => {
  switch (step._tag) {
    case "Run": {
      const scope = commandOf(step.words)?.scope
      if (scope?._tag === "Key" || scope?._tag === "Lock") return 1
      if (scope?._tag === "Counted") return keysOfScript(step.words).size === 1 ? 1 : 0
      const count = scope?._tag === "Each" ? (step.words.length - 1) / scope.width : 0
      return Number.isInteger(count) ? count : 0
    }
    case "Watch":
      return step.keys.length
    case "Transaction":
      return placeOf(step) === undefined ? 0 : 1
  }
}

const addParts = (step: Step, parts: Array<Part>): void => {
  if (countOf(step) === 0) return
  const add = (key: string, own: Step): void => void parts.push({ key, request: { steps: [own] } })
  switch (step._tag) {
    case "Run":
      return addPartsOfCommand(step, commandOf(step.words)!, add)
    case "Watch":
      for (const key of step.keys) add(key, { _tag: "Watch", keys: [anonymous] })
      return
    case "Transaction":
      add(placeOf(step)!, within(step))
  }
}

const addPartsOfCommand = (step: Run, command: Command, add: (key: string, step: Step) => void): void => {
  const { words } = step
  switch (command.scope._tag) {
    case "Key":
      return add(words[1]!, { _tag: "Run", words: words.with(1, anonymous) })
    case "Lock":
      return add(machineOf(words[1]!), step)
    case "Each": {
      const { width } = command.scope
      for (let i = 1; i < words.length; i += width) {
        add(words[i]!, { _tag: "Run", words: [words[0]!, anonymous, ...words.slice(i + 1, i + width)] })
      }
      return
    }
    case "Counted":
      return add(words[3]!, { _tag: "Run", words: unnamed(words) })
    case "All":
  }
}

const keysOfScript = (words: Words): ReadonlySet<string> => new Set(words.slice(3, 3 + countOfScript(words)))

const countOfScript = (words: Words): number => {
  const count = Integers.parse(words[2]!) ?? 0
  return count > 0 && count <= words.length - 3 ? count : 0
}

/** Which words of a command are keys. */
const isKeyAt = ({ scope }: Command, words: Words, index: number): boolean => {
  switch (scope._tag) {
    case "Key":
      return index === 1
    case "Each":
      return index > 0 && (index - 1) % scope.width === 0
    case "Counted":
      return index > 2 && index < 3 + countOfScript(words)
    default:
      return false
  }
}

const unnamed = (words: Words): Words => {
  const command = commandOf(words)
  return command === undefined ? words : words.map((word, index) => (isKeyAt(command, words, index) ? anonymous : word))
}

/** The machines that a transaction is about, with what it watches. */
const placesOf = ({ commands, watched }: Transaction): ReadonlySet<string> => {
  const places = new Set(watched.map(({ key }) => key))
  for (const words of commands) {
    const command = commandOf(words)
    if (command === undefined) continue
    if (command.scope._tag === "Lock") places.add(machineOf(words[1]!))
    for (const [index, word] of words.entries()) if (isKeyAt(command, words, index)) places.add(word)
  }
  return places
}

/** The only one, where it can be had. */
const placeOf = (step: Transaction): string | undefined => {
  const places = placesOf(step)
  const [place] = places
  return places.size === 1 && !step.commands.some(isOfAll) ? place : undefined
}

const within = ({ commands, watched }: Transaction): Transaction => ({
  _tag: "Transaction",
  watched: watched.map(({ version }) => ({ key: anonymous, version })),
  commands: commands.map(unnamed)
})

// --------------------------------------------------------------------------------------------------- what has no part

const isOfAll = (words: Words): boolean => commands.get(words[0]!)?.scope._tag === "All"
const isStepOfAll = (step: Step): boolean => step._tag === "Run" && isOfAll(step.words)

const crosses = (what: string): Reply.Reply =>
  Reply.failure(
    `CROSSKEY ${what} of several keys cannot be had where each key is replicated apart. Nothing was done. Do it key by ` +
      "key, or run the cluster with passive replication."
  )
const transactionCrosses = crosses("a transaction")
const scriptCrosses = crosses("a script")

/** The reply to a step that is about no key, or that must not be about several. */
const replyWithout = (step: Step): Reply.Reply => {
  const nothing = new View(Facts.init, { now: 0, random: () => 0 })
  switch (step._tag) {
    case "Run":
      return commandOf(step.words)?.scope._tag === "Counted" && keysOfScript(step.words).size > 1
        ? scriptCrosses
        : run(nothing, step.words)
    case "Watch":
      return Reply.multiple([])
    case "Transaction":
      return placesOf(step).size > 1 || step.commands.some(isOfAll)
        ? transactionCrosses
        : Reply.multiple(step.commands.map((words) => run(nothing, words)))
  }
}

const joined = (step: Step, replies: ReadonlyArray<Reply.Reply>): Reply.Reply => {
  const failed = replies.find(({ _tag }) => _tag === "Failure")
  if (failed !== undefined) return failed
  if (step._tag === "Watch") return Reply.multiple(replies.flatMap(itemsOf))
  const scope = step._tag === "Run" ? commandOf(step.words)?.scope : undefined
  return scope?._tag === "Each" ? bounded(scope.join(replies)) : replies[0]!
}

const itemsOf = (reply: Reply.Reply): ReadonlyArray<Reply.Reply> => (reply._tag === "Multiple" ? reply.items : [reply])
const bounded = (reply: Reply.Reply): Reply.Reply => (sizeOf(reply) > largestResponse ? tooLarge : reply)

// ---------------------------------------------------------------------------------------------------- what is of all keys

/** The keys of a copy, with a name each. */
const listing = (copy: Machine.Copy<Facts.State>, at: Machine.Moment): Listing => ({
  get size() {
    let size = copy.size
    for (let i = 0; i < lockMachines; i++) if (copy.get(nameOf(i)).token > 0) size--
    return size
  },
  *from(hash) {
    for (const [key, { entries }] of copy.from(hash)) {
      const entry = isOfLocks(key) ? undefined : Trie.get(entries, anonymous)
      if (entry !== undefined) yield { key, expires: entry.expires }
    }
  },
  isOver: ({ expires }) => expires !== 0 && expires <= at.now
})

const survey = (copy: Machine.Copy<Facts.State>, { steps }: Request, at: Machine.Moment): Response => {
  const replies: Array<Reply.Reply> = []
  const keys = listing(copy, at)
  for (const step of steps) {
    const scope = step._tag === "Run" ? commandOf(step.words)?.scope : undefined
    if (scope?._tag === "All") {
      if (scope.list === undefined) break
      replies.push(bounded(scope.list(keys, (step as Run).words.slice(1))))
    } else if (countOf(step) === 0) replies.push(replyWithout(step))
    else break
  }
  return replies
}

// ------------------------------------------------------------------------------------------------------------- the facet

export const keyed: Machine.Keyed<Facts.State, Request, Response> = {
  split: ({ steps }) => {
    const parts: Array<Part> = []
    for (const step of steps) {
      if (isStepOfAll(step)) break
      addParts(step, parts)
    }
    return parts
  },
  join: ({ steps }, responses) => {
    const replies: Array<Reply.Reply> = []
    let next = 0
    for (const step of steps) {
      if (isStepOfAll(step)) break
      const count = countOf(step)
      const own = responses.slice(next, next + count).map(([reply]) => reply!)
      replies.push(count === 0 ? replyWithout(step) : joined(step, own))
      next += count
    }
    return replies
  },
  survey
}
