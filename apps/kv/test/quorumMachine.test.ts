/** The keyspace key by key: which parts a request has, and what is said where it has none. */
import { type Replicated, Trie } from "@troupe/replication"
import { Effect, type Exit } from "effect"
import { describe, expect, it } from "vitest"
import { machine, type Request, type Response, type Step } from "../src/KeyspaceMachine.ts"
import * as Reply from "../src/Reply.ts"
import { Batcher } from "../src/server/Batcher.ts"
import * as Counters from "../src/server/Counters.ts"
import { StandIn } from "./quorumStandIn.ts"

const { split } = machine.keyed!
const words = (line: string): Step => ({ _tag: "Run", words: line.split(" ") })
const transaction = (watched: ReadonlyArray<string>, ...lines: ReadonlyArray<string>): Step => ({
  _tag: "Transaction",
  watched: watched.map((key) => ({ key, version: 0 })),
  commands: lines.map((line) => line.split(" "))
})

const keysOf = (...steps: ReadonlyArray<Step>): ReadonlyArray<string> => {
  const parts = split({ steps })
  if (typeof parts === "string") throw new Error(parts)
  return parts.map(({ key }) => key)
}

const text = (reply: Reply.Reply | undefined): string => (reply?._tag === "Failure" ? reply.text : `${reply?._tag}`)

/** Asks again for what was not answered, as the server does. */
const ask = (store: StandIn, ...steps: ReadonlyArray<Step>): ReadonlyArray<Reply.Reply> => {
  const replies: Array<Reply.Reply> = []
  while (replies.length < steps.length) {
    const more = store.invoke({ steps: steps.slice(replies.length) })
    if (more.length === 0) throw new Error("no step was answered")
    replies.push(...more)
  }
  return replies
}

describe("a request", () => {
  it("has a part for each key of each step, in their order", () => {
    expect(keysOf(words("GET a"), words("MSET b 1 c 2 a 3"), words("DEL a b"))).toEqual(["a", "b", "c", "a", "a", "b"])
    expect(keysOf({ _tag: "Watch", keys: ["a", "b"] })).toEqual(["a", "b"])
    expect(keysOf(transaction(["a"], "GET a", "SET a 1", "MGET a a"))).toEqual(["a"])
  })

  it("has parts up to what is asked of all keys, which is asked after them", () => {
    expect(keysOf(words("SET a 1"), words("DBSIZE"), words("SET b 1"))).toEqual(["a"])
    expect(keysOf(words("DBSIZE"), words("SET b 1"))).toEqual([])
    const replies = ask(new StandIn(), words("SET a 1"), words("DBSIZE"), words("SET b 1"), words("KEYS *"))
    expect(replies.map(({ _tag }) => _tag)).toEqual(["Simple", "Integer", "Simple", "Multiple"])
    expect(replies[1]).toEqual({ _tag: "Integer", value: 1 })
    expect(replies[3]).toMatchObject({ items: [{ bytes: expect.any(String) }, { bytes: expect.any(String) }] })
  })

  it("of several keys in one transaction or script is refused, and does nothing", () => {
    const store = new StandIn()
    const refused = [
      transaction([], "SET a 1", "SET b 1"),
      transaction(["a"], "SET b 1"),
      transaction([], "SET a 1", "DBSIZE"),
      transaction([], "SET a 1", "LOCK.ACQUIRE a 1000"),
      words("EVALSHA e5a322e2634ef59a516e8ea150cb085afafee684 2 a b value 1000")
    ]
    expect(keysOf(...refused)).toEqual([])
    for (const reply of ask(store, ...refused))
      expect(text(reply)).toMatch(/^CROSSKEY .* of several keys cannot be had/)
    expect(store.registers.size).toBe(0)
  })

  it("that is wrong is answered as by one copy of all keys", () => {
    const wrong = [
      words("GET"),
      words("NOSUCH a"),
      words("MSET a 1 b"),
      words("DBSIZE a"),
      words("EVAL script none"),
      words("EVAL script 9 a"),
      words("SCAN x"),
      transaction([], "GET"),
      transaction([])
    ]
    const at = { now: 0, random: Math.random }
    expect(ask(new StandIn(), ...wrong)).toEqual(machine.execute(machine.init, { steps: wrong }, at).response)
  })
})

describe("the state of a key", () => {
  it("is one small fact, without the key's name, and nothing once the key is gone", () => {
    const store = new StandIn()
    ask(store, words("SET greeting hello"), words("APPEND greeting !"), words("EXPIRE greeting 100"))
    expect(store.registers.get("greeting")).toEqual([
      { _tag: "Put", key: "", value: "hello!", expires: expect.any(Number), version: expect.any(Number) }
    ])
    ask(store, words("DEL greeting"))
    expect(store.registers.size).toBe(0)
  })

  it("has a version that it had never before, though it was forgotten in between", () => {
    const store = new StandIn()
    const watch: Step = { _tag: "Watch", keys: ["a"] }
    const [, first] = ask(store, words("SET a 1"), watch)
    const [, , second] = ask(store, words("DEL a"), words("SET a 1"), watch)
    expect(second).not.toEqual(first)
  })
})

describe("locks", () => {
  it("have growing tokens, each for itself, and take a bounded place however many there were", () => {
    const store = new StandIn()
    const tokens = new Map<string, number>()
    for (let i = 0; i < 3_000; i++) {
      const name = `lock:${i % 1_500}`
      const [acquired, again] = ask(store, words(`LOCK.ACQUIRE ${name} 60000`), words(`LOCK.ACQUIRE ${name} 60000`))
      const token = acquired?._tag === "Integer" ? acquired.value : NaN
      expect(token).toBeGreaterThan(tokens.get(name) ?? 0)
      expect(again).toEqual({ _tag: "Null" })
      tokens.set(name, token)
      expect(ask(store, words(`LOCK.RELEASE ${name} ${token}`))).toEqual([{ _tag: "Integer", value: 1 }])
    }
    expect(store.registers.size).toBeLessThanOrEqual(1024)
    expect([...store.registers.values()].every((updates) => updates.length === 1)).toBe(true)
  })

  it("are no keys", () => {
    const store = new StandIn()
    const [, , size, keys] = ask(
      store,
      words("LOCK.ACQUIRE a 60000"),
      words("SET b 1"),
      words("DBSIZE"),
      words("KEYS *")
    )
    expect(size).toEqual({ _tag: "Integer", value: 1 })
    expect(keys).toEqual({ _tag: "Multiple", items: [{ _tag: "Bulk", bytes: "b" }] })
  })
})

describe("clients that change keys in one turn", () => {
  const submitted = (writes: "together" | "apart"): ReadonlyArray<string> => {
    const said: Array<string> = []
    const store = {
      invoke: ({ steps }: Request) => {
        said.push(steps.map((step) => (step._tag === "Run" ? step.words[1] : step._tag)).join())
        return steps.length > 0 && said.at(-1)!.includes("slow")
          ? Effect.never
          : Effect.succeed(steps.map(() => Reply.ok))
      }
    } as unknown as Replicated.Replicated<Request, Response>
    const run = <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) =>
      void Effect.runFork(effect).addObserver(onExit)
    const batcher = new Batcher(store, Counters.make(), run, { writes })
    batcher.submit([words("SET slow 1")], () => said.push("slow is done"))
    batcher.submit([words("SET a 1"), words("GET b")], () => said.push("the other is done"))
    return said
  }

  it("wait for nobody else's key where each is replicated apart", () => {
    expect(submitted("apart")).toEqual(["slow", "a,b", "the other is done"])
    // In the next turn, in one request.
    expect(submitted("together")).toEqual([])
  })
})

describe("one copy of all keys and keys apart", () => {
  const commands = [
    ...["GET k", "SET k v", "SET k v NX GET", "SET k v XX", "SET k v PX 30", "SETNX k v", "INCR k", "DECRBY k 3"],
    ...["APPEND k 7", "STRLEN k", "DEL k k2", "EXISTS k k2 k", "MGET k k2", "MSET k 1 k2 2", "TTL k", "PTTL k"],
    ...["EXPIRE k 100", "PEXPIRE k 25", "PERSIST k", "TYPE k", "DBSIZE", "KEYS *", "INCRBY k 9007199254740993"]
  ]
  it("answer alike, whatever is asked", () => {
    for (let seed = 1; seed <= 20; seed++) {
      let draw = seed
      const pick = (n: number): number => (draw = (draw * 48_271) % 2_147_483_647) % n
      const store = new StandIn()
      let state = machine.init
      let now = 1_000
      store.now = () => now
      const key = (): string => `key:${pick(4)}`
      for (let turn = 0; turn < 100; turn++) {
        now += pick(20)
        // What expired is removed late from the one and the other: sizes are compared after both have.
        for (const update of machine.housekeeping!.due(state, { now, random: () => 0 }))
          state = machine.apply(state, update)
        store.removeExpired()
        const steps = Array.from({ length: 1 + pick(5) }, () =>
          words(commands[pick(commands.length)]!.replace(/k2/g, key).replace(/\bk\b/g, key))
        )
        const { response, updates } = machine.execute(state, { steps }, { now, random: Math.random })
        state = updates.reduce(machine.apply, state)
        const sorted = (reply: Reply.Reply) =>
          reply._tag === "Multiple" ? reply.items.map((item) => JSON.stringify(item)).toSorted() : reply
        expect([seed, steps, ask(store, ...steps).map(sorted)]).toEqual([seed, steps, response.map(sorted)])
        expect(store.registers.size).toBe(state.entries.size)
        expect(Trie.get(state.entries, "")).toBe(undefined)
      }
    }
  })
})
