/** The machine of keys and values, against a plain map and against its own laws. */
import { KeyValue, Trie } from "@troupe/replication"
import { Codec } from "@troupe/transport"
import { describe, expect, it } from "vitest"

const { apply, dump, execute, init, keyed } = KeyValue.machine

const at = { now: 0, random: () => 0 }

const random = (seed: number): ((below: number) => number) => {
  let state = seed * 48_271 + 1
  return (below) => Math.floor(((state = (state * 48_271) % 2_147_483_647) / 2_147_483_647) * below)
}

const drawRequest = (draw: (below: number) => number): KeyValue.Request => {
  const key = `key ${draw(8)}`
  const value = Uint8Array.from({ length: draw(4) }, () => draw(256))
  switch (draw(4)) {
    case 0:
      return { _tag: "Get", key }
    case 1:
      return { _tag: "Put", key, value }
    case 2:
      return { _tag: "Delete", key }
    default:
      return { _tag: "CompareAndSet", key, value, expected: draw(2) === 0 ? 0 : draw(60) }
  }
}

const entriesOf = ({ entries }: KeyValue.State) =>
  [...Trie.from(entries)].map(({ key, value, version }) => [key, [...value], version]).sort()

const seen = (state: KeyValue.State) => ({ entries: entriesOf(state), latest: state.latest })

/** A state, and what was executed to come to it. */
const history = (seed: number, length: number) => {
  const draw = random(seed)
  let state = init
  const all: Array<{ readonly request: KeyValue.Request; readonly updates: ReadonlyArray<KeyValue.Update> }> = []
  for (let i = 0; i < length; i++) {
    const request = drawRequest(draw)
    const { updates } = execute(state, request, at)
    state = updates.reduce(apply, state)
    all.push({ request, updates })
  }
  return { state, all }
}

describe("keys and values", () => {
  it("are a map with versions, of which those of a key only grow, over its deletion too", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const draw = random(seed)
      const model = new Map<string, { readonly value: Uint8Array; readonly version: number }>()
      const latest = new Map<string, number>()
      let state = init
      for (let i = 0; i < 60; i++) {
        const request = drawRequest(draw)
        const { key } = request
        const before = model.get(key)
        const { response, updates } = execute(state, request, at)
        state = updates.reduce(apply, state)
        if (request._tag === "Get") expect(response).toEqual(before ? { _tag: "Found", ...before } : { _tag: "Absent" })
        else if (request._tag === "Delete" && before === undefined) expect(response).toEqual({ _tag: "Absent" })
        else if (request._tag === "CompareAndSet" && request.expected !== (before?.version ?? 0)) {
          expect(response).toEqual({ _tag: "Conflict", version: before?.version ?? 0 })
        } else {
          if (response._tag !== "Written") throw new Error(`not written: ${response._tag}`)
          expect(response.version).toBeGreaterThan(latest.get(key) ?? 0)
          latest.set(key, response.version)
          if (request._tag === "Delete") model.delete(key)
          else model.set(key, { value: request.value, version: response.version })
        }
      }
      expect(entriesOf(state)).toEqual([...model].map(([key, { value, version }]) => [key, [...value], version]).sort())
    }
  })

  it("come back from their dump", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { state } = history(seed, 60)
      expect(seen([...dump(state)].reduce(apply, init))).toEqual(seen(state))
    }
    expect([...dump(init)]).toEqual([])
  })

  it("are changed by no execution", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { state } = history(seed, 30)
      const before = seen(state)
      const draw = random(seed + 1000)
      for (let i = 0; i < 20; i++) execute(state, drawRequest(draw), at)
      expect(seen(state)).toEqual(before)
    }
  })

  it("come out the same in whatever order copies hear of what was put", () => {
    for (let seed = 1; seed <= 50; seed++) {
      // Of several copies, so that versions are the same by chance.
      const updates = [1, 2, 3].flatMap((copy) =>
        history(seed * 3 + copy, 20).all.flatMap((each) => each.updates.filter(({ _tag }) => _tag === "Put"))
      )
      const draw = random(seed)
      const shuffled = updates
        .map((update) => [draw(1_000_000), update] as const)
        .sort(([a], [b]) => a - b)
        .map(([, update]) => update)
      expect(seen(shuffled.reduce(apply, init))).toEqual(seen(updates.reduce(apply, init)))
    }
  })

  it("travel as requests, updates and responses", () => {
    const [requests, updates, responses] = [
      Codec.binary(KeyValue.Request),
      Codec.binary(KeyValue.Update),
      Codec.binary(KeyValue.Response)
    ]
    for (let seed = 1; seed <= 10; seed++) {
      const { all, state } = history(seed, 30)
      for (const { request, updates: made } of all) {
        expect(Codec.decode(requests, Codec.encode(requests, request))).toEqual(request)
        for (const update of made) expect(Codec.decode(updates, Codec.encode(updates, update))).toEqual(update)
        const { response } = execute(state, request, at)
        expect(Codec.decode(responses, Codec.encode(responses, response))).toEqual(response)
      }
    }
  })

  it("are asked for by single keys", () => {
    const request: KeyValue.Request = { _tag: "Get", key: "a" }
    expect(keyed!.split(request)).toEqual([{ key: "a", request }])
    expect(keyed!.join(request, [{ _tag: "Absent" }])).toEqual({ _tag: "Absent" })
  })

  it("have bounds: what is out of them is refused, with what to do", () => {
    const value = new Uint8Array(0)
    const why = (request: KeyValue.Request) => KeyValue.invalid(request)?.message
    expect(why({ _tag: "Get", key: "" })).toContain("the key is empty")
    expect(why({ _tag: "Put", key: "k".repeat(KeyValue.longestKey + 1), value })).toContain("1025 characters")
    expect(why({ _tag: "Put", key: "k", value: new Uint8Array(KeyValue.largestValue + 1) })).toContain("in parts")
    for (const expected of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(why({ _tag: "CompareAndSet", key: "k", value, expected })).toContain("is no version")
    }
    const largest = new Uint8Array(KeyValue.largestValue)
    expect(why({ _tag: "Put", key: "k".repeat(KeyValue.longestKey), value: largest })).toBeUndefined()
  })
})
