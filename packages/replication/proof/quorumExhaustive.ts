/**
 * Quorums in every interleaving of more messages than tests have the time for:
 *
 *     node --conditions=@troupe/source packages/replication/proof/quorumExhaustive.ts
 *
 * Prints a line a system, and ends with 1 where a property does not hold.
 */
import { check, type Given } from "../test/quorumSystem.ts"

const two = ["n1", "n2"]
const three = ["n1", "n2", "n3"]

const systems: Readonly<Record<string, Given>> = {
  "three replicas: an update, and two reads one after the other": {
    nodes: three,
    requests: { n1: [1], n2: [0, 0] },
    counters: 5
  },
  "three replicas: an update, and a read at each of the others, six messages in flight": {
    nodes: three,
    requests: { n1: [1], n2: [0], n3: [0] },
    counters: 2,
    flying: 6
  },
  "three replicas: two updates, ballots up to 2": { nodes: three, requests: { n1: [1], n2: [2] }, counters: 2 },
  "two replicas: two updates after one another, beside a third": {
    nodes: two,
    requests: { n1: [1, 2], n2: [4] },
    counters: 5
  },
  "two replicas: a key is deleted, and forgotten, while another update is made: 20,000 random walks": {
    nodes: two,
    requests: { n1: [1, -1], n2: [2] },
    counters: 8,
    ticks: { n1: 2, n2: 2 },
    walks: 20_000
  },
  "three replicas: an update, a read, and a crash that loses what was not on disk": {
    nodes: three,
    requests: { n1: [1], n3: [0] },
    counters: 4,
    flying: 6,
    crashes: { max: 1, restart: true, aheadOfDisk: true }
  }
}

let isSound = true
for (const [name, given] of Object.entries(systems)) {
  const { complete, properties, seconds, uniqueStates } = await check(given, { maxStates: 5_000_000 })
  const broken = properties.filter(({ kind, verdict }) => kind === "always" && verdict === "violated")
  isSound &&= broken.length === 0
  const seen = complete ? "all states" : "not all states"
  const verdict = broken.length === 0 ? "holds" : broken.map((each) => each.name).join(", ") + " violated"
  console.log(`${name}: ${uniqueStates} states, ${seen}, ${Math.round(seconds)} s: ${verdict}`)
  for (const { counterexample } of broken) console.log(counterexample?.steps.join("\n"))
}
if (!isSound) process.exitCode = 1
