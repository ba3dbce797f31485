/** Which lock and which election the tellers use, and what befalls their leader with these. */
import { Election, LeaseElection } from "@troupe/election"
import { Coordinator, type Mutex } from "@troupe/mutex"
import { type Register, ServedRegister } from "@troupe/register"
import type { Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { algorithms } from "../algorithms.ts"
import { type Crash, crashOf } from "../Crashes.ts"
import type { Demonstration } from "../Demonstration.ts"
import { Usage } from "../Problem.ts"
import { bankNode } from "./Office.ts"

/** Names of algorithms, such as `mutex/token-ring`. */
export interface Crew {
  readonly mutex: string
  readonly election: string
}

export const usual: Crew = { mutex: "mutex/ricart-agrawala", election: "election/bully" }

/**
 * What befalls the leader in the middle of the job: it is killed, and comes back with an empty memory; is killed for good,
 * where the lock cannot take it back; or resigns, where the lock stops for ever when anybody dies.
 */
export type Accident = "crash" | "death" | "resignation"

export const accidentOf = ({ election, mutex }: Crew): Accident => {
  const { remedy, takesBack } = crashOfNamed(mutex)
  if (remedy === "nothing") return "resignation"
  const takesBackAny = takesBack === "but the lowest" ? crashOfNamed(election).anyWins !== true : takesBack
  return takesBackAny ? "crash" : "death"
}

/** Why it is not killed and back, in a sentence. */
export const noticeOf = (crew: Crew): string | undefined => {
  const { title } = cardOf(crew.mutex)
  const known = crashOfNamed(crew.mutex).weakness
  switch (accidentOf(crew)) {
    case "crash":
      return undefined
    case "death":
      return (
        `The leader is killed for good: ${title} goes on without it, and cannot take back ` +
        `${crashOfNamed(crew.mutex).takesBack === "but the lowest" ? "the lowest node" : "a node"} that forgot.`
      )
    case "resignation":
      return `The leader resigns, and is not killed: ${title} gets over no death${known === undefined ? "" : ` ("${known}")`}.`
  }
}

export const remedyOf = (name: string): Crash["remedy"] => crashOfNamed(name).remedy

/** Whether somebody of the crew listens to a failure detector. */
export const needsDetector = (crew: Crew): boolean => some(crew, ({ remedy }) => remedy === "detector")

/** Whether somebody of the crew keeps a lease in a register: the bank serves it, which outlives the tellers. */
export const needsRegister = (crew: Crew): boolean => some(crew, ({ restsOnLowest }) => restsOnLowest === true)

/** The bank's register, on the bank as on each teller. */
export const register: Layer.Layer<Register, never, Transport> = Layer.orDie(ServedRegister.layer({ host: bankNode }))

const some = ({ election, mutex }: Crew, is: (crash: Crash) => boolean): boolean =>
  [mutex, election].some((name) => is(crashOfNamed(name)))

export const cardOf = (name: string): Demonstration["card"] => find(name).card

const find = (name: string): Demonstration => algorithms.find((algorithm) => algorithm.name === name)!

/** Of what nobody has said how it gets over a death, nothing is expected. */
const crashOfNamed = (name: string): Crash => crashOf(find(name)) ?? { remedy: "nothing", takesBack: false }

/** The lock that the ledger is written under. A coordinator is the leader that is elected. */
export const lock = ({ mutex }: Crew): Layer.Layer<Mutex, Error, Transport | Election> =>
  mutex === Coordinator.protocol.name
    ? Coordinator.layer({ resource: "ledger", leader: Effect.map(Election, ({ changes }) => changes) })
    : find(mutex).lock!({ resource: "ledger" })

/** A lease is short enough for the next to lead before the one that was killed is back. */
export const electing = ({ election }: Crew): Layer.Layer<Election, Error, Transport> =>
  election === LeaseElection.protocol.name ? LeaseElection.layer({ lease: "2 seconds" }) : find(election).elects!()

/** The algorithms of a service. */
export const all = (service: "mutex" | "election"): ReadonlyArray<string> =>
  algorithms.filter((algorithm) => algorithm.service === service).map(({ name }) => name)

/** The algorithm of that service, by its name or the latter part of it. */
const choose = (service: "mutex" | "election", given: string): Effect.Effect<string, Usage> => {
  const short = given.replace(/^.*\//, "")
  const found = all(service).find((name) => name === `${service}/${short}` && [name, short].includes(given))
  if (found !== undefined) return Effect.succeed(found)
  const offer = all(service).map((name) => name.slice(service.length + 1))
  const reason = `--${service} ${given}: there is no such ${service}. It can be: ${offer.join(", ")}.`
  return Effect.fail(new Usage({ reason }))
}

/** What was asked for. */
export const chosen = (given: Crew): Effect.Effect<Crew, Usage> =>
  Effect.all({ mutex: choose("mutex", given.mutex), election: choose("election", given.election) })
