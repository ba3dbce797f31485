/**
 * Passive replication in every interleaving of a few messages, ticks of the clock and crashes, in which what was not on disk
 * is lost; and faults that were planted in it, which must be found.
 */
import type { Protocol } from "@troupe/actor"
import { Passive } from "@troupe/replication"
import { describe, expect, it } from "vitest"
import { check, type Given, sum } from "./passiveSystem.ts"

const protocol = Passive.protocol(sum)
type Passively = typeof protocol
type Act = Parameters<NonNullable<Passively["onStart"]>>[1]

const three = ["n1", "n2", "n3"]
/** Both backups may suspect a primary that is up. */
const suspected: Given = { nodes: three, requests: { n1: [1] }, ticks: { n2: 1, n3: 1 }, views: 2, flying: 5 }
/** A node may crash, and come back with what was on its disk. */
const crashing: Given = {
  nodes: ["n1", "n2"],
  requests: { n2: [1, 0] },
  ticks: { n2: 1 },
  views: 3,
  flying: 4,
  crashes: 1
}
/** Both at once, of three nodes. */
const stormy: Given = {
  nodes: three,
  requests: { n1: [1] },
  ticks: { n1: 1, n2: 2, n3: 1 },
  views: 3,
  flying: 8,
  crashes: 1,
  walks: 1_000
}

const verdicts = async (given: Given) =>
  Object.fromEntries((await check(given)).properties.map(({ name, verdict }) => [name, verdict]))

const sound = {
  "no safe update is lost": "holds",
  "one primary a view": "holds",
  "an update becomes safe": "holds",
  linearizable: "holds",
  "all are answered": "holds",
  "a second view": "holds"
}

describe("every interleaving", { timeout: 60_000 }, () => {
  it("of a crash with an empty write cache: nothing that was acknowledged is lost, a retry is not executed again", async () => {
    expect(await verdicts(crashing)).toEqual(sound)
  })

  it("of both, among three nodes, on 1,000 random walks", async () => {
    expect(await broken(protocol, stormy)).toEqual([])
  })

  it("of a false suspicion: the next primary takes over where the last one stopped, and no read is stale", async () => {
    expect(await verdicts({ ...suspected, requests: { n1: [1] }, flying: 4 })).toEqual(sound)
  })
})

/** The protocol with its messages, actions or states changed on the way. */
const planted = (changes: {
  readonly hear?: (message: Passive.Message) => Passive.Message
  readonly act?: (act: Act) => Act
  readonly state?: (state: Passive.State) => Passive.State
}): Passively => {
  const { act: changed = (act) => act, hear = (message) => message, state: kept = (state) => state } = changes
  return {
    ...protocol,
    onStart: (state, act) => kept(protocol.onStart!(state, changed(act))),
    onCommand: (state, command, act) => kept(protocol.onCommand(state, command, changed(act))),
    onMessage: (state, from, message, act) => kept(protocol.onMessage(state, from, hear(message), changed(act))),
    onTimeout: (state, timer, act) => kept(protocol.onTimeout!(state, timer, changed(act)))
  }
}

const broken = async (mutant: Protocol.Protocol<any, any, any, any, any, any, any>, given: Given) =>
  (await check({ ...given, protocol: mutant })).properties
    .filter(({ verdict }) => verdict === "violated")
    .map(({ name }) => name)

describe("planted faults are found", { timeout: 60_000 }, () => {
  it("a new primary that does not collect the most advanced log", async () => {
    const mutant = planted({
      hear: (message) => (message._tag === "Vote" ? { ...message, at: 0, atView: 0 } : message)
    })
    expect(await broken(mutant, { ...suspected, ticks: { n1: 1, n2: 1, n3: 1 } })).not.toEqual([])
  })

  it("a primary that answers before its update is on disk", async () => {
    const unsafely = (act: Act): Act =>
      Object.create(act, {
        persist: {
          value: (record: { readonly _tag: string }) => record._tag === "Life" && act.persist(record as never)
        }
      }) as Act
    const alone = { ...crashing, nodes: ["n1"], requests: { n1: [1, 0] }, ticks: {} }
    expect(await broken(planted({ act: unsafely }), alone)).toEqual(["linearizable"])
  })

  it("a replica that forgets what it has answered, and executes a retry again", async () => {
    const mutant = planted({
      state: (state) => ({
        ...state,
        replica: {
          ...state.replica,
          versions: state.replica.versions.map((version) => ({
            ...version,
            table: version.table.map(() => ({ life: 0, floor: 0, top: 0, chunks: [] }))
          }))
        }
      })
    })
    expect(await broken(mutant, crashing)).not.toEqual([])
  })
})

describe("outside its assumptions", { timeout: 60_000 }, () => {
  it("a perfect detector that errs loses what was acknowledged", async () => {
    expect(
      await broken(protocol, { ...suspected, ticks: { n1: 1, n2: 1, n3: 1 }, options: { safety: "perfect-detector" } })
    ).not.toEqual([])
  })
})
