/** The trie against a plain map. */
import { Trie } from "@troupe/replication"
import { describe, expect, it } from "vitest"

interface Entry {
  readonly key: string
  readonly version: number
}

const entry = (key: string, version: number): Entry => ({ key, version })

const random = (seed: number): (() => number) => {
  let state = seed * 48_271 + 1
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** Two keys with one hash, by search. */
const collision = (): readonly [string, string] => {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const key = `k${i}`
    const other = seen.get(Trie.hash(key))
    if (other !== undefined) return [other, key]
    seen.set(Trie.hash(key), key)
  }
}

describe("a trie", () => {
  it("is a map, each of whose versions stays as it was", () => {
    const [a, b] = collision()
    const keys = [a, b, ...Array.from({ length: 300 }, (_, i) => `key:${i}`)]
    for (let seed = 1; seed <= 20; seed++) {
      const draw = random(seed)
      const model = new Map<string, Entry>()
      let trie: Trie.Trie<Entry> = Trie.empty
      let kept: { readonly trie: Trie.Trie<Entry>; readonly size: number } | undefined
      for (let i = 0; i < 600; i++) {
        const key = keys[Math.floor(draw() * draw() * keys.length)]!
        if (draw() < 0.6) {
          trie = Trie.set(trie, entry(key, i))
          model.set(key, entry(key, i))
        } else {
          trie = Trie.remove(trie, key)
          model.delete(key)
        }
        expect(trie.size).toBe(model.size)
        expect(Trie.get(trie, key)).toEqual(model.get(key))
        if (i === 300) kept = { trie, size: model.size }
      }
      expect(new Map([...Trie.from(trie)].map((each) => [each.key, each]))).toEqual(model)
      expect([...Trie.from(kept!.trie)].length).toBe(kept!.size)
      for (const key of keys) trie = Trie.remove(trie, key)
      expect(trie).toEqual(Trie.empty)
    }
  })

  it("takes many entries at once as it takes them one after another, and stays as it was", () => {
    const [a, b] = collision()
    const keys = [a, b, ...Array.from({ length: 300 }, (_, i) => `key:${i}`)]
    for (let seed = 1; seed <= 60; seed++) {
      const draw = random(seed)
      const some = (count: number): ReadonlyArray<Entry> =>
        Array.from({ length: count }, (_, i) => entry(keys[Math.floor(draw() * draw() * keys.length)]!, i))
      const trie = some(seed * 3).reduce(Trie.set<Entry>, Trie.empty)
      const before = structuredClone(trie)
      const entries = some(Math.floor(draw() * 200))
      expect(Trie.setAll(trie, entries)).toEqual(entries.reduce(Trie.set<Entry>, trie))
      expect(trie).toEqual(before)
    }
  })

  it("is walked in the order of hashes, from any hash on", () => {
    let trie: Trie.Trie<Entry> = Trie.empty
    for (let i = 0; i < 500; i++) trie = Trie.set(trie, entry(`key:${i}`, i))
    const all = [...Trie.from(trie)].map(({ key }) => Trie.hash(key))
    expect(all).toEqual(all.toSorted((a, b) => a - b))
    for (const start of [0, 1, all[100]!, all[100]! + 1, all.at(-1)!, 2 ** 32 - 1]) {
      expect([...Trie.from(trie, start)].length).toBe(all.filter((hash) => hash >= start).length)
    }
  })
})
