/**
 * The rules of a transport that may lose, repeat and reorder messages. Each case sends again until it is heard, so that
 * loss costs it time only; a transport that loses nothing keeps these rules too.
 */
import { Effect, Exit, Schema, Scope } from "effect"
import * as Channel from "../Channel.ts"
import type { NodeId } from "../NodeId.ts"
import { localRules } from "./localRules.ts"
import { Bytes, type Case, ignore, Log, Numbers, range, rule, same, show, within, Words } from "./rules.ts"

/** What every transport keeps, however much it loses. */
export const unreliable: ReadonlyArray<Case> = [
  ...localRules,

  rule("what arrives was sent, whole, by its sender, to this node and channel", ["n1", "n2", "n3"], (bench) =>
    Effect.gen(function* () {
      const nodes = ["n1", "n2", "n3"]
      const names = ["red", "green"]
      const strange: Array<string> = []
      const heard = new Log<string>()
      const sends: Array<() => void> = []
      const text = (from: NodeId, to: NodeId, name: string, count: number): string =>
        `${count} ${from} ${to} ${name} `.repeat(1 + (count % 20))
      const counts = new Map<string, number>()
      const hear = (way: string): void => {
        const times = (counts.get(way) ?? 0) + 1
        counts.set(way, times)
        if (times === 20) heard.add(way)
      }
      let count = 0
      for (const self of nodes) {
        const node = yield* bench.join(self)
        for (const name of names) {
          const send = yield* node.open(Channel.make(name, Schema.String), (from, word) => {
            const number = Number.parseInt(word, 10)
            if (number <= count && word === text(from, self, name, number)) hear(`${from} ${self} ${name}`)
            else strange.push(`"${self}" got "${word}" from "${from}" on "${name}"`)
          })
          sends.push(() => {
            for (const to of nodes) if (to !== self) send(to, text(self, to, name, count))
          })
        }
      }
      const sendAll = (): void => {
        for (let burst = 0; burst < 10; burst++) {
          count++
          sends.forEach((send) => send())
        }
      }
      const ways = nodes.length * (nodes.length - 1) * names.length
      yield* bench.again(sendAll, heard, `20 messages each of ${ways} ways`, (items) => items.length === ways)
      yield* bench.demand(strange.length === 0, show(strange))
    })
  ),

  rule("a handler never runs inside send, nor inside another handler", ["n1", "n2"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const log = new Log<string>()
      const broken: Array<string> = []
      let sending = false
      let handling = false
      const open = Effect.fnUntraced(function* (self: NodeId) {
        const node = yield* join(self)
        const send = yield* node.open(Numbers, (_, number) => {
          if (sending) broken.push("a handler ran inside send")
          if (handling) broken.push("a handler ran inside another")
          handling = true
          if (number > 0) guarded(number % 3 === 0 ? self : self === "n1" ? "n2" : "n1", number - 1)
          handling = false
          log.add(`${self} ${number}`)
        })
        const guarded = (to: NodeId, number: number): void => {
          sending = true
          send(to, number)
          sending = false
        }
        return guarded
      })
      const send = yield* open("n1")
      yield* open("n2")
      const both = (): void => {
        send("n1", 5)
        send("n2", 5)
      }
      yield* again(both, log, "the end of both chains", (items) => items.includes("n1 0") && items.includes("n2 0"))
      yield* demand(broken.length === 0, show(broken))
    })
  ),

  rule("a node may send to itself", ["n1"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const log = new Log<string>()
      const node = yield* join("n1")
      const send = yield* node.open(Numbers, (from, number) => log.add(`${from} ${number}`))
      const got = yield* again(
        () => send("n1", 7),
        log,
        "a message",
        (items) => items.length > 0
      )
      yield* demand(
        got.every((item) => item === "n1 7"),
        `got ${show(got)}`
      )
    })
  ),

  rule("a large message arrives whole, or is refused and told", ["n1", "n2"], ({ again, demand, join, watch }) =>
    Effect.gen(function* () {
      const log = new Log<string>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      const links = yield* watch(n1)
      const large = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) % 251)
      yield* n2.open(Bytes, (_, bytes) =>
        log.add(bytes.length === large.length && bytes.every((byte, at) => byte === large[at]) ? "whole" : "in part")
      )
      const send = yield* n1.open(Bytes, ignore)
      const sendAndLook = (): void => {
        const told = links.items.some((event) => event._tag === "Rejected" || event._tag === "Dropped")
        if (told) log.add("refused")
        else send("n2", large)
      }
      const got = yield* again(sendAndLook, log, "the message, or word of it", (items) => items.length > 0)
      yield* demand(!got.includes("in part"), `it arrived ${show(got)}`)
    })
  ),

  rule("a message that comes too early harms no later one", ["n1", "n2"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const words = new Log<string>()
      const n1 = yield* join("n1")
      const send = yield* n1.open(Numbers, ignore)
      const sendWord = yield* n1.open(Words, ignore)
      for (const number of range(300)) send("n2", number)
      const n2 = yield* join("n2")
      yield* n2.open(Words, (_, word) => words.add(word))
      const early = (): void => {
        send("n2", 300)
        sendWord("n2", "up")
      }
      yield* again(early, words, "a word", (items) => items.length > 0)
      yield* n2.open(Numbers, (_, number) => log.add(number))
      yield* again(
        () => send("n2", 301),
        log,
        "a number",
        (items) => items.includes(301)
      )
      yield* demand(
        log.items.every((number) => number >= 0 && number <= 301),
        `got ${show(log.items)}`
      )
    })
  ),

  rule("a node that comes again is spoken with again", ["n1", "n2"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const n1 = yield* join("n1")
      const answers = new Log<string>()
      const send = yield* n1.open(Words, (_, word) => answers.add(word))
      for (const life of ["first", "second", "third"]) {
        const log = new Log<string>()
        const scope = yield* within
        const n2 = yield* Scope.provide(join("n2"), scope)
        const back = yield* Scope.provide(
          n2.open(Words, (from, word) => {
            log.add(word)
            back(from, `${word} yourself`)
          }),
          scope
        )
        yield* again(
          () => send("n2", life),
          answers,
          "an answer",
          (items) => items.includes(`${life} yourself`)
        )
        yield* demand(log.items.includes(life), `got ${show(log.items)}`)
        yield* Scope.close(scope, Exit.void)
      }
    })
  ),

  rule("a handler gets nothing once its channel has closed", ["n1", "n2"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      const words = new Log<string>()
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      const scope = yield* within
      yield* Scope.provide(
        n2.open(Numbers, (_, number) => log.add(number)),
        scope
      )
      yield* n2.open(Words, (_, word) => words.add(word))
      const send = yield* n1.open(Numbers, ignore)
      const sendWord = yield* n1.open(Words, ignore)
      yield* again(
        () => send("n2", 1),
        log,
        "a number",
        (items) => items.length > 0
      )
      yield* Scope.close(scope, Exit.void)
      const before = log.items.length
      const late = (): void => {
        send("n2", 2)
        sendWord("n2", "after")
      }
      yield* again(late, words, "ten words", (items) => items.length >= 10)
      yield* demand(log.items.length === before, `got ${show(log.items.slice(before))}`)
    })
  ),

  rule("a node that has closed neither sends nor gets anything", ["n1", "n2", "n3"], ({ again, demand, join }) =>
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
      const speak = (): void => {
        send2("n1", "from the dead")
        send1("n2", "to the dead")
        send3("n1", "alive")
      }
      yield* again(speak, at1, "ten words", (items) => items.length >= 10)
      yield* demand(
        at1.items.every((word) => word === "alive"),
        `n1 got ${show(at1.items)}`
      )
      yield* demand(at2.items.length === 0, `the closed node got ${show(at2.items)}`)
    })
  ),

  rule("a handler that throws costs its message and nothing else", ["n1", "n2"], ({ again, demand, join }) =>
    Effect.gen(function* () {
      const log = new Log<number>()
      let thrown = 0
      const n1 = yield* join("n1")
      const n2 = yield* join("n2")
      yield* n2.open(Numbers, (_, number) => {
        log.add(number)
        if (number !== 1) return
        thrown++
        throw new Error("the handler of a conformance case throws on purpose")
      })
      const send = yield* n1.open(Numbers, ignore)
      // Close together, so that they may share a packet.
      const three = (): void => {
        for (const number of range(3)) send("n2", number)
      }
      yield* again(
        three,
        log,
        "numbers after the one that throws",
        (items) => items.slice(items.indexOf(1) + 1).includes(2) && items.includes(1)
      )
      yield* demand(thrown > 0 && same([...new Set(log.items)].toSorted(), [0, 1, 2]), `got ${show(log.items)}`)
    })
  )
]
