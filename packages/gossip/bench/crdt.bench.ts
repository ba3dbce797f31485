/**
 * An OR-set of 100,000 elements, half of them added by each of two replicas that then merge each other's, beside the
 * maps of automerge and yjs, and a bare `Set` as the floor.
 *
 *     node --conditions=@troupe/source packages/gossip/bench/crdt.bench.ts [--json] [--rounds 3] [--elements 100000]
 *
 * Two ways: `oneByOne`, where each add is a change of its own, and `atOnce`, where a replica adds all of its half in one
 * change. Each contestant ends with two replicas that have all elements, which is checked. States are merged as each
 * library does it for whole documents: ours and the floor's in memory, automerge's by `merge`, yjs's by an encoded update
 * (its only way). `carried`: each add goes to the other replica as a delta of its own at once.
 *
 * Automerge copies the map with each change, so that the time of changes one by one grows with the square of their
 * number: there it takes part with the fiftieth part of the elements, against the others with as few.
 */
import * as Automerge from "@automerge/automerge"
import { Schema } from "effect"
import { parseArgs } from "node:util"
import * as Y from "yjs"
import * as OrSet from "../src/crdt/OrSet.ts"

const { values: given } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    elements: { type: "string", default: "100000" }
  }
})
const rounds = Number(given.rounds)
const elements = Array.from({ length: Number(given.elements) }, (_, i) => `element-${i}`)

const halves = [elements.slice(0, elements.length / 2), elements.slice(elements.length / 2)] as const

/** What a contestant does with the elements; answers how many each of its two replicas has at the end. */
type Contest = Readonly<Record<"oneByOne" | "atOnce" | "carried", (all: typeof halves) => readonly [number, number]>>

const set = OrSet.crdt(Schema.String)

const troupe: Contest = {
  oneByOne: (all) => {
    const [a, b] = all.map((half, i) => {
      let own = set.empty
      for (const element of half) own = set.merge(own, OrSet.add(own, `n${i}`, element))
      return own
    }) as [OrSet.OrSet<string>, OrSet.OrSet<string>]
    return [OrSet.size(set.merge(a, b)), OrSet.size(set.merge(b, a))]
  },
  atOnce: (all) => {
    const [a, b] = all.map((half, i) => set.merge(set.empty, OrSet.addAll(set.empty, `n${i}`, half))) as [
      OrSet.OrSet<string>,
      OrSet.OrSet<string>
    ]
    return [OrSet.size(set.merge(a, b)), OrSet.size(set.merge(b, a))]
  },
  carried: (all) => {
    let own = set.empty
    let other = set.empty
    for (const element of all.flat()) {
      const delta = OrSet.add(own, "n0", element)
      own = set.merge(own, delta)
      other = set.merge(other, delta)
    }
    return [OrSet.size(own), OrSet.size(other)]
  }
}

const yMap = (doc: Y.Doc): Y.Map<boolean> => doc.getMap("set")

const yMerged = (docs: ReadonlyArray<Y.Doc>): readonly [number, number] => {
  const [a, b] = docs as [Y.Doc, Y.Doc]
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b))
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a, Y.encodeStateVector(b)))
  return [yMap(a).size, yMap(b).size]
}

const yjs: Contest = {
  oneByOne: (all) =>
    yMerged(
      all.map((half) => {
        const doc = new Y.Doc()
        const map = yMap(doc)
        for (const element of half) map.set(element, true)
        return doc
      })
    ),
  atOnce: (all) =>
    yMerged(
      all.map((half) => {
        const doc = new Y.Doc()
        const map = yMap(doc)
        doc.transact(() => {
          for (const element of half) map.set(element, true)
        })
        return doc
      })
    ),
  carried: (all) => {
    const own = new Y.Doc()
    const other = new Y.Doc()
    own.on("update", (update) => Y.applyUpdate(other, update))
    for (const element of all.flat()) yMap(own).set(element, true)
    return [yMap(own).size, yMap(other).size]
  }
}

type Document = Record<string, boolean>

const automergeMerged = (docs: ReadonlyArray<Automerge.Doc<Document>>): readonly [number, number] => {
  const [a, b] = docs as [Automerge.Doc<Document>, Automerge.Doc<Document>]
  const copy = Automerge.clone(a)
  return [Object.keys(Automerge.merge(a, b)).length, Object.keys(Automerge.merge(b, copy)).length]
}

const automerge: Contest = {
  oneByOne: (all) =>
    automergeMerged(
      all.map((half) => {
        let doc = Automerge.init<Document>()
        for (const element of half) {
          doc = Automerge.change(doc, (draft) => {
            draft[element] = true
          })
        }
        return doc
      })
    ),
  atOnce: (all) =>
    automergeMerged(
      all.map((half) =>
        Automerge.change(Automerge.init<Document>(), (draft) => {
          for (const element of half) draft[element] = true
        })
      )
    ),
  carried: (all) => {
    let own = Automerge.init<Document>()
    let other = Automerge.init<Document>()
    for (const element of all.flat()) {
      own = Automerge.change(own, (draft) => {
        draft[element] = true
      })
      other = Automerge.applyChanges(other, [Automerge.getLastLocalChange(own)!])[0]
    }
    return [Object.keys(own).length, Object.keys(other).length]
  }
}

const floorOf = (all: typeof halves): readonly [number, number] => {
  const [a, b] = all.map((half) => {
    const own = new Set<string>()
    for (const element of half) own.add(element)
    return own
  }) as [Set<string>, Set<string>]
  return [new Set([...a, ...b]).size, new Set([...b, ...a]).size]
}
const floor: Contest = { oneByOne: floorOf, atOnce: floorOf, carried: floorOf }

const contestants = { troupe, yjs, automerge, floor }
type Name = keyof typeof contestants

// -------------------------------------------------------------------------------------------------------------- measuring

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const millis = (run: (all: typeof halves) => readonly [number, number], all: typeof halves): number => {
  globalThis.gc?.()
  const start = performance.now()
  const sizes = run(all)
  const taken = performance.now() - start
  const expected = all[0].length + all[1].length
  if (sizes[0] !== expected || sizes[1] !== expected) throw new Error(`${sizes} elements in place of ${expected}`)
  return taken
}

/** All contestants in turn, round by round; one round before warms up, on fewer. */
const contest = (way: keyof Contest, all: typeof halves, names = Object.keys(contestants) as ReadonlyArray<Name>) => {
  const few = [all[0].slice(0, 200), all[1].slice(0, 200)] as const
  const times = new Map<Name, Array<number>>()
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const taken = millis(contestants[name][way], round < 0 ? few : all)
      if (round >= 0) times.set(name, [...(times.get(name) ?? []), taken])
    }
  }
  const mine = times.get("troupe")!
  return {
    elements: all[0].length + all[1].length,
    ...Object.fromEntries([...times].map(([name, all]) => [name, digits(median(all))])),
    timesFasterThan: Object.fromEntries(
      names.slice(1).map((name) => [name, digits(median(mine.map((own, round) => times.get(name)![round]! / own)))])
    )
  }
}

const part = (all: ReadonlyArray<string>) => all.slice(0, all.length / 50)
const fiftieth = [part(halves[0]), part(halves[1])] as const
const linear = ["troupe", "yjs", "floor"] as const
const report = {
  benchmark: "OR-set: adds and merges of two replicas",
  unit: "milliseconds, medians; ratios are medians of rounds",
  rounds,
  atOnce: contest("atOnce", halves),
  oneByOne: contest("oneByOne", halves, linear),
  oneByOneOfFew: contest("oneByOne", fiftieth),
  carried: contest("carried", halves, linear),
  carriedOfFew: contest("carried", fiftieth)
}
console.log(given.json ? JSON.stringify(report) : report)
