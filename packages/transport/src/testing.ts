/**
 * The rules of `Transport` as cases that any transport can be held to, with any test runner.
 *
 * A maker says how to build a network and how a node joins it; a case is an Effect that fails with `RuleBroken`.
 * `conformance` is for transports that lose nothing while a link lives; one that may lose, repeat and reorder messages,
 * as datagrams do, is held to `unreliable` in the same way.
 *
 * @example
 * import { Memory } from "@troupe/transport"
 * import { conformance, type TransportMaker } from "@troupe/transport/testing"
 * import { Effect } from "effect"
 *
 * const make: TransportMaker = ({ holdMessages, nodes }) =>
 *   Effect.sync(() => {
 *     const network = Memory.network({ nodes, holdMessages })
 *     return { join: (node) => Memory.connect(network, node) }
 *   })
 *
 * for (const { name, run } of conformance) {
 *   await Effect.runPromise(Effect.scoped(run(make)))
 *   console.log(`kept: ${name}`)
 * }
 */

import { Effect, Exit, Schema, Scope } from "effect"
import * as Channel from "./Channel.ts"
import { localRules } from "./internal/localRules.ts"
import {
  Bytes,
  type Case,
  holdMessages,
  ignore,
  Log,
  Numbers,
  range,
  rule,
  same,
  show,
  within,
  Words
} from "./internal/rules.ts"
import type { NodeId } from "./NodeId.ts"

export { type Case, type Network, type NetworkOptions, RuleBroken, type TransportMaker } from "./internal/rules.ts"
export { unreliable } from "./internal/unreliable.ts"

/** What every transport keeps that loses nothing while a link lives. */
export const conformance: ReadonlyArray<Case> = [
  ...localRules,

  rule("a message arrives where it was sent, with its sender", ["n1", "n2", "n3"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const logs = new Map<NodeId, Log<string>>()
      const sends = new Map<NodeId, (to: NodeId, word: string) => void>()
      for (const id of ["n1", "n2", "n3"]) {
        const log = new Log<string>()
        logs.set(id, log)
        const node = yield* join(id)
        sends.set(id, yield* node.open(Words, (from, word) => log.add(`${from} ${word}`)))
      }
      for (const [from, send] of sends) for (const to of sends.keys()) if (to !== from) send(to, `to ${to}`)
      for (const [id, log] of logs) {
        const got = yield* until(log, "two messages", (items) => items.length >= 2)
        const expected = ["n1", "n2", "n3"].filter((other) => other !== id).map((from) => `${from} to ${id}`)
        yield* demand(same(got.toSorted(), expected), `"${id}" got ${show(got)}`)
      }
    })
  ),

  rule("what one node sends another on a channel arrives in order", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const numbers = new Log<number>()
      const words = new Log<string>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      yield* n2.open(Numbers, (_, number) => numbers.add(number))
      yield* n2.open(Words, (_, word) => words.add(word))
      const sendNumber = yield* n1.open(Numbers, ignore)
      const sendWord = yield* n1.open(Words, ignore)
      for (const number of range(2000)) {
        sendNumber("n2", number)
        if (number % 3 === 0) sendWord("n2", String(number))
        if (number % 500 === 0) yield* Effect.yieldNow
      }
      yield* until(numbers, "2000 numbers", (items) => items.length >= 2000)
      yield* until(words, "667 words", (items) => items.length >= 667)
      yield* demand(same(numbers.items, range(2000)), `numbers came as ${show(numbers.items)}`)
      yield* demand(
        same(
          words.items,
          range(667).map((index) => String(3 * index))
        ),
        `words came as ${show(words.items)}`
      )
    })
  ),

  rule("a message arrives at most once", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      yield* n2.open(Numbers, (_, number) => log.add(number))
      const send = yield* n1.open(Numbers, ignore)
      for (const number of range(500)) send("n2", number)
      // What comes after it on the same channel comes later.
      send("n2", -1)
      yield* until(log, "the last message", (items) => items.includes(-1))
      yield* demand(new Set(log.items).size === log.items.length, `${log.items.length} arrived of 501`)
    })
  ),

  rule("a handler never runs inside send, nor inside another handler", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const broken: Array<string> = []
      let sending = false
      let handling = false
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      const handle =
        (next: (number: number) => void) =>
        (_: NodeId, number: number): void => {
          if (sending) broken.push("a handler ran inside send")
          if (handling) broken.push("a handler ran inside another")
          handling = true
          if (number > 0) next(number - 1)
          handling = false
          log.add(number)
        }
      const guarded = (send: (to: NodeId, number: number) => void) => (to: NodeId, number: number) => {
        sending = true
        send(to, number)
        sending = false
      }
      const send1 = guarded(
        yield* n1.open(
          Numbers,
          handle((number) => send1(number % 3 === 0 ? "n1" : "n2", number))
        )
      )
      const send2 = guarded(
        yield* n2.open(
          Numbers,
          handle((number) => send2(number % 3 === 0 ? "n2" : "n1", number))
        )
      )
      send1("n1", 20)
      send1("n2", 20)
      yield* demand(log.items.length === 0, "a handler ran inside send")
      yield* until(log, "42 messages", (items) => items.length >= 42)
      yield* demand(broken.length === 0, show(broken))
    })
  ),

  rule("a node may send to itself", ["n1"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<string>()
      const node = yield* join("n1")
      const send = yield* node.open(Numbers, (from, number) => log.add(`${from} ${number}`))
      for (const number of range(3)) send("n1", number)
      const got = yield* until(log, "three messages", (items) => items.length >= 3)
      yield* demand(same(got, ["n1 0", "n1 1", "n1 2"]), `got ${show(got)}`)
    })
  ),

  rule("messages wait for a node that is not up", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const n1 = yield* join("n1")
      const send = yield* n1.open(Numbers, ignore)
      for (const number of range(holdMessages)) send("n2", number)
      const n2 = yield* join("n2")
      yield* n2.open(Numbers, (_, number) => log.add(number))
      yield* until(log, `${holdMessages} messages`, (items) => items.length >= holdMessages)
      yield* demand(same(log.items, range(holdMessages)), `got ${show(log.items)}`)
    })
  ),

  rule("messages wait for a channel that is not open, and come before later ones", ["n1", "n2"], (bench) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const opened = new Log<string>()
      const n1 = yield* bench.join("n1")
      const n2 = yield* bench.join("n2")
      yield* n2.open(Words, (_, word) => opened.add(word))
      const send = yield* n1.open(Numbers, ignore)
      const sendWord = yield* n1.open(Words, ignore)
      for (const number of range(10)) send("n2", number)
      sendWord("n2", "sent")
      yield* bench.until(opened, "a word", (items) => items.length > 0)
      for (const number of range(10)) send("n2", 10 + number)
      yield* n2.open(Numbers, (_, number) => log.add(number))
      for (const number of range(10)) send("n2", 20 + number)
      yield* bench.until(log, "30 messages", (items) => items.length >= 30)
      yield* bench.demand(same(log.items, range(30)), `got ${show(log.items)}`)
    })
  ),

  rule("no more than the bound waits for a channel; the newest is dropped, and told", ["n1", "n2"], (bench) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const n1 = yield* bench.join("n1")
      const n2 = yield* bench.join("n2")
      const links = [yield* bench.watch(n1), yield* bench.watch(n2)]
      const told = new Log<number>()
      for (const log of links) {
        yield* Effect.forkScoped(
          Effect.forever(
            Effect.flatMap(
              log.until((items) => items.length > 0),
              () =>
                Effect.sync(() => {
                  for (const event of log.items.splice(0)) if (event._tag === "Dropped") told.add(event.count)
                })
            )
          )
        )
      }
      const send = yield* n1.open(Numbers, ignore)
      for (const number of range(holdMessages + 7)) send("n2", number)
      yield* bench.until(told, "7 drops", (counts) => counts.reduce((sum, count) => sum + count, 0) >= 7)
      yield* n2.open(Numbers, (_, number) => log.add(number))
      send("n2", -1)
      yield* bench.until(log, "the last message", (items) => items.includes(-1))
      yield* bench.demand(same(log.items, [...range(holdMessages), -1]), `got ${show(log.items)}`)
    })
  ),

  rule("links tell when a peer comes and when it goes", ["n1", "n2"], ({ demand, join, until, watch }) =>
    Effect.gen(function* () {
      const n1 = yield* join("n1")
      const links = yield* watch(n1)
      const scope = yield* within
      yield* Scope.provide(join("n2"), scope)
      yield* until(links, "n2 to come up", (events) => events.length > 0)
      yield* Scope.close(scope, Exit.void)
      const events = yield* until(links, "n2 to go", (events) => events.length > 1)
      const story = events.map((event) => `${event._tag} ${event.peer}`)
      yield* demand(same(story, ["Up n2", "Down n2"]), `told ${show(events)}`)
      yield* demand(events[1]?._tag === "Down" && events[1].reason === "closed", `told ${show(events)}`)
    })
  ),

  rule("a node that comes again is spoken with again", ["n1", "n2"], ({ demand, join, until, watch }) =>
    Effect.gen(function* () {
      const n1 = yield* join("n1")
      const links = yield* watch(n1)
      const send = yield* n1.open(Words, ignore)
      for (const word of ["first", "second"]) {
        const log = new Log<string>()
        const scope = yield* within
        const n2 = yield* Scope.provide(join("n2"), scope)
        yield* Scope.provide(
          n2.open(Words, (_, word) => log.add(word)),
          scope
        )
        yield* until(links, "n2 to come up", (events) => events.at(-1)?._tag === "Up")
        send("n2", word)
        const got = yield* until(log, "a message", (items) => items.length > 0)
        yield* demand(same(got, [word]), `got ${show(got)}`)
        yield* Scope.close(scope, Exit.void)
        yield* until(links, "n2 to go", (events) => events.at(-1)?._tag === "Down")
      }
    })
  ),

  rule("a handler gets nothing once its channel has closed", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const late = new Log<number>()
      const words = new Log<string>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      const scope = yield* within
      yield* Scope.provide(
        n2.open(Numbers, (_, number) => late.add(number)),
        scope
      )
      yield* n2.open(Words, (_, word) => words.add(word))
      const send = yield* n1.open(Numbers, ignore)
      const sendWord = yield* n1.open(Words, ignore)
      yield* Scope.close(scope, Exit.void)
      send("n2", 1)
      sendWord("n2", "after")
      yield* until(words, "a word", (items) => items.length > 0)
      yield* demand(late.items.length === 0, `got ${show(late.items)}`)
    })
  ),

  rule("a node that has closed neither sends nor gets anything", ["n1", "n2", "n3"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const at1 = new Log<string>()
      const at2 = new Log<string>()
      const n1 = yield* join("n1")
      const n3 = yield* join("n3")
      const scope = yield* within
      const n2 = yield* Scope.provide(join("n2"), scope)
      // Its channel outlives it.
      const send2 = yield* n2.open(Words, (_, word) => at2.add(word))
      const send1 = yield* n1.open(Words, (_, word) => at1.add(word))
      const send3 = yield* n3.open(Words, ignore)
      yield* Scope.close(scope, Exit.void)
      send2("n1", "from the dead")
      send1("n2", "to the dead")
      send3("n1", "alive")
      yield* until(at1, "a word", (items) => items.includes("alive"))
      yield* demand(same(at1.items, ["alive"]), `n1 got ${show(at1.items)}`)
      yield* demand(at2.items.length === 0, `the closed node got ${show(at2.items)}`)
    })
  ),

  rule("channels are kept apart", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const names = range(20).map((index) => `channel-${index}`)
      const log = new Log<string>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      for (const name of names) {
        yield* n2.open(Channel.make(name, Schema.String), (_, word) => log.add(`${name} ${word}`))
        const send = yield* n1.open(Channel.make(name, Schema.String), ignore)
        send("n2", name)
      }
      const got = yield* until(log, "20 messages", (items) => items.length >= names.length)
      yield* demand(
        names.every((name) => got.includes(`${name} ${name}`)),
        `got ${show(got)}`
      )
    })
  ),

  rule("a large message arrives whole", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<Uint8Array>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      yield* n2.open(Bytes, (_, bytes) => log.add(bytes))
      const send = yield* n1.open(Bytes, ignore)
      const large = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) % 251)
      send("n2", large)
      send("n2", new Uint8Array(0))
      const got = yield* until(log, "two messages", (items) => items.length >= 2)
      yield* demand(
        same([...got[0]!], [...large]) && got[1]!.length === 0,
        `${got[0]!.length} bytes, or others, arrived`
      )
    })
  ),

  rule("a handler that throws costs its message and nothing else", ["n1", "n2"], ({ demand, join, until }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      yield* n2.open(Numbers, (_, number) => {
        if (number === 1) throw new Error("the handler of a conformance case throws on purpose")
        log.add(number)
      })
      const send = yield* n1.open(Numbers, ignore)
      for (const number of range(3)) send("n2", number)
      yield* until(log, "the last message", (items) => items.includes(2))
      yield* demand(same(log.items, [0, 2]), `got ${show(log.items)}`)
    })
  )
]
