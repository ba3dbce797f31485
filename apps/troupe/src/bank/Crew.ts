/** Which lock and which election the tellers use, and how these get over the death of the leader. */
import { Election } from "@troupe/election"
import { type Mutex, Coordinator } from "@troupe/mutex"
import type { Transport } from "@troupe/transport"
import { Effect, type Layer } from "effect"
import { algorithms } from "../algorithms.ts"
import type { Demonstration } from "../Demonstration.ts"
import { Usage } from "../Problem.ts"

/** Names of algorithms, such as `mutex/token-ring`. */
export interface Crew {
  readonly mutex: string
  readonly election: string
}

export const usual: Crew = { mutex: "mutex/ricart-agrawala", election: "election/bully" }

/**
 * How an algorithm goes on when the leader dies and comes back with an empty memory: by itself, by the views of the group, or
 * by what a failure detector says. What is not here does not go on.
 */
type Remedy = "itself" | "views" | "detector"

const remedies: Readonly<Record<string, Remedy>> = {
  "mutex/ricart-agrawala": "views",
  "mutex/coordinator": "detector",
  "mutex/token-ring": "detector",
  "mutex/suzuki-kasami": "detector",
  "mutex/lease-lock": "itself",
  "election/bully": "itself",
  "election/next-in-line": "itself",
  "election/candidate-ordinary": "itself",
  "election/invitation": "itself",
  "election/chang-roberts": "detector",
  "election/dolev-klawe-rodeh": "detector",
  "election/higham-przytycka": "detector",
  "election/hirschberg-sinclair": "detector",
  "election/le-lann": "detector",
  "election/ring": "detector"
}

/** Locks that do not get over the death of the lowest node: it has the register, or begins with a token. */
const restOnTheLowest: ReadonlyArray<string> = ["mutex/lease-lock", "mutex/suzuki-kasami"]

/** Elections that any node may win; the others are won by a high one. */
const electAnybody: ReadonlyArray<string> = ["election/invitation"]

/** What the job shows of an algorithm besides, where it gets over the death at a price. */
const prices: Readonly<Record<string, string>> = {
  "mutex/suzuki-kasami":
    "The teller that came back numbers its requests from 1 again, which the others take for old ones: it starves, and the " +
    "bank hands its transfers to others after five seconds.",
  "mutex/lease-lock": "The lock rests on the lowest teller, which serves the register: its death would stop it."
}

export const priceOf = (name: string): string | undefined => prices[name]

export const remedyOf = (name: string): Remedy => remedies[name]!

/** Whether somebody of the crew listens to a failure detector. */
export const needsDetector = ({ election, mutex }: Crew): boolean =>
  [mutex, election].some((name) => remedies[name] === "detector")

export const cardOf = (name: string): Demonstration["card"] => find(name).card

const find = (name: string): Demonstration => algorithms.find((algorithm) => algorithm.name === name)!

/** The lock that the ledger is written under. A coordinator is the leader that is elected. */
export const lock = ({ mutex }: Crew): Layer.Layer<Mutex, Error, Transport | Election> =>
  mutex === Coordinator.protocol.name
    ? Coordinator.layer({ resource: "ledger", leader: Effect.map(Election, ({ changes }) => changes) })
    : find(mutex).lock!({ resource: "ledger" })

export const electing = ({ election }: Crew): Layer.Layer<Election, Error, Transport> => find(election).elects!()

/** The algorithms of a service that get over the death of the leader. */
export const survivors = (service: "mutex" | "election"): ReadonlyArray<string> =>
  algorithms
    .filter((algorithm) => algorithm.service === service && remedies[algorithm.name] !== undefined)
    .map(({ name }) => name)

/** The algorithm of that service, by its name or the latter part of it. */
const choose = (service: "mutex" | "election", given: string): Effect.Effect<string, Usage> => {
  const short = given.replace(/^.*\//, "")
  const found = algorithms.find(({ name }) => name === `${service}/${short}` && [name, short].includes(given))
  const offer = `It can be: ${survivors(service)
    .map((name) => name.slice(service.length + 1))
    .join(", ")}.`
  if (found === undefined || found.service !== service) {
    return Effect.fail(new Usage({ reason: `--${service} ${given}: there is no such ${service}. ${offer}` }))
  }
  if (remedies[found.name] !== undefined) return Effect.succeed(found.name)
  const known = found.card.weaknesses.filter(({ faults }) => faults === "crash").map(({ description }) => description)
  return Effect.fail(
    new Usage({
      reason:
        `--${service} ${given}: the job kills its leader, which ${found.card.title} does not get over. ` +
        `${known.length === 0 ? "Nothing tells it of a death." : `Its card says: ${known.join(" ")}`} ${offer}`
    })
  )
}

/** What was asked for; refuses what does not get over the death of the leader. */
export const chosen = (given: Crew): Effect.Effect<Crew, Usage> =>
  Effect.flatMap(
    Effect.all({ mutex: choose("mutex", given.mutex), election: choose("election", given.election) }),
    (crew) => {
      if (!restOnTheLowest.includes(crew.mutex) || !electAnybody.includes(crew.election)) return Effect.succeed(crew)
      const reason =
        `--mutex ${given.mutex} --election ${given.election}: the lock does not get over the death of the lowest teller, ` +
        `and that election may make it the leader, which the job kills. Take another of the two.`
      return Effect.fail(new Usage({ reason }))
    }
  )
