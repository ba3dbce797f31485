/**
 * Quorums of three replicas in every interleaving of an update and a read; of two updates that get into each other's way; of a
 * crash in which what was not on disk is lost. And faults that were planted in them, which must be found.
 *
 * What takes minutes is in `proof/quorumExhaustive.ts`.
 */
import { Quorum, Trie } from "@troupe/replication"
import { describe, expect, it } from "vitest"
import { check, type Given, register } from "./quorumSystem.ts"

const protocol = Quorum.protocol(register)

const two = ["n1", "n2"]
const three = ["n1", "n2", "n3"]
/** Two that update at once. */
const duel: Given = { nodes: two, requests: { n1: [1], n2: [2] }, counters: 4 }
/** One that updates, one that reads, and a third that crashes, and comes back with what was on its disk. */
const crashing: Given = {
  nodes: three,
  requests: { n1: [1], n3: [0] },
  counters: 3,
  flying: 5,
  crashes: { max: 1, restart: true, aheadOfDisk: true, nodes: ["n2"] }
}

const verdicts = async (given: Given) => {
  const { complete, properties } = await check(given)
  return { complete, ...Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict])) }
}

const sound = {
  complete: true,
  "one value a version": "holds",
  "promises are kept": "holds",
  linearizable: "holds",
  "all are answered": "holds"
}

describe("every interleaving", { timeout: 60_000 }, () => {
  it("of an update and a read at three replicas: linearizable", async () => {
    expect(await verdicts({ nodes: three, requests: { n1: [1], n2: [0] }, counters: 5 })).toEqual(sound)
  })

  it("of two updates that refuse each other's ballots: each is executed once", async () => {
    expect(await verdicts(duel)).toEqual(sound)
  })

  it("of an update, a read, and a crash with an empty write cache: nothing that was acknowledged is lost", async () => {
    expect(await verdicts({ ...crashing, flying: 4 })).toEqual(sound)
  })
})

/** The protocol with its states or records changed on the way. */
const planted = (changes: {
  readonly state?: (state: Quorum.State) => Quorum.State
  readonly message?: (message: Quorum.Message) => Quorum.Message
}): typeof protocol => {
  const { message: heard = (message) => message, state: kept = (state) => state } = changes
  return {
    ...protocol,
    onCommand: (state, command, act) => kept(protocol.onCommand(state, command, act)),
    onMessage: (state, from, message, act) => kept(protocol.onMessage(state, from, heard(message), act)),
    onTimeout: (state, timer, act) => kept(protocol.onTimeout!(state, timer, act))
  }
}

const broken = async (given: Given) => {
  const { properties } = await check(given)
  return properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
}

describe("planted faults are found", { timeout: 60_000 }, () => {
  it("a retry that executes again what another node's ballot has adopted", async () => {
    const state = (state: Quorum.State): Quorum.State => {
      let { proposals } = state
      for (const proposal of Trie.from(proposals)) {
        if (proposal.phase !== "accept") proposals = Trie.set(proposals, { ...proposal, attempts: [] })
      }
      return { ...state, proposals }
    }
    expect(await broken({ ...duel, protocol: planted({ state }) })).toEqual(["linearizable"])
  })

  it("an update that is executed on another than the newest copy", async () => {
    const message = (message: Quorum.Message): Quorum.Message => {
      if (message._tag === "Asks") return message
      const votes = message.votes.map((vote) => {
        if (vote._tag !== "Promised") return vote
        const { copy: _, ...older } = vote
        return older
      })
      return { ...message, votes }
    }
    const given = { ...duel, nodes: three, walks: 3_000, protocol: planted({ message }) }
    expect(await broken(given)).toEqual(["linearizable"])
  })

  it("a replica that accepts before its disk has it", async () => {
    const durable = protocol.durable!
    const forgetful: typeof protocol = {
      ...protocol,
      durable: {
        ...protocol.durable!,
        restore: (state, record, self) =>
          durable.restore(
            state,
            record.filter(({ _tag }) => _tag === "Life"),
            self
          )
      }
    }
    expect(await broken({ ...crashing, protocol: forgetful })).toEqual(["linearizable"])
  })
})

describe("without write-back", { timeout: 60_000 }, () => {
  it("of two reads, one after the other, the first is answered the new value and the second the old one", async () => {
    const { properties } = await check({
      ...{ nodes: three, requests: { n1: [1], n2: [0, 0] }, counters: 2 },
      options: { writeBack: false }
    })
    const race = properties.find(({ name }) => name === "linearizable")!
    expect(race.verdict).toBe("violated")
    expect(race.counterexample!.steps.length).toBe(14)
  })
})
