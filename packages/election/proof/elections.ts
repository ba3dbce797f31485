/** Every election with its bound on having no leader, and the worlds that are inside its card's assumptions. */
import {
  Bully,
  CandidateOrdinary,
  ChangRoberts,
  DolevKlaweRodeh,
  HighamPrzytycka,
  HirschbergSinclair,
  Invitation,
  LeaseElection,
  LeLann,
  NextInLine,
  Ring
} from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { MemoryRegister } from "@troupe/register"
import { Faults } from "@troupe/simulation"
import { Layer } from "effect"
import { type Subject, within, type World } from "./worlds.ts"

export interface Held {
  readonly algorithm: string
  readonly subject: Subject
  readonly worlds: ReadonlyArray<World>
}

/** The leader does, where the highest leads. */
const dies: World = { name: "crash for good, of the highest", faults: {}, dies: true }

// ------------------------------------------------------------------------------------ those that rest on a round trip

const suspicionMillis = ({
  heartbeatEveryMillis,
  roundTripMillis
}: {
  readonly heartbeatEveryMillis: number
  readonly roundTripMillis: number
}): number => Math.max(2 * heartbeatEveryMillis, roundTripMillis) + roundTripMillis

/** A split is outside the cards of these; but one leader an epoch holds under every fault, and when it has healed, one leads. */
const synchronous = ({ card }: Subject): ReadonlyArray<World> => [
  ...(["none", "lossy", "crash", "chaos"] as const).map((preset) => within(card, preset)),
  dies,
  { name: "partition, but for one at a time", faults: Faults.partition, but: ["at most one leader"] }
]

const bully: Subject = {
  ...Bully,
  layer: () => Bully.layer(),
  /** A silent leader is missed, or one that took over; higher nodes are asked; a claim is made, and made anew. */
  bound: () => {
    const { roundTripMillis } = Bully.defaults
    return Math.max(suspicionMillis(Bully.defaults), 3 * roundTripMillis) + 3 * roundTripMillis
  }
}

const nextInLine: Subject = {
  ...NextInLine,
  layer: () => NextInLine.layer(),
  /** As in the bully algorithm, after each heir was asked in vain. */
  bound: () => {
    const { heirsMax, roundTripMillis } = NextInLine.defaults
    return Math.max(suspicionMillis(NextInLine.defaults), 3 * roundTripMillis) + (heirsMax + 3) * roundTripMillis
  }
}

const candidateOrdinary: Subject = {
  ...CandidateOrdinary,
  layer: () => CandidateOrdinary.layer(),
  /** A silent leader is missed; the longest tiebreaker; candidates are asked, one is appointed, claims, and claims anew. */
  bound: ({ nodes }) => {
    const { roundTripMillis, tiebreakerMillis } = CandidateOrdinary.defaults
    return suspicionMillis(CandidateOrdinary.defaults) + (nodes - 1) * tiebreakerMillis + 4 * (roundTripMillis + 1)
  }
}

// ----------------------------------------------------------------------------------------------------------- invitation

const invitation: Subject = {
  ...Invitation,
  layer: () => Invitation.layer(),
  /** A leader is missed, an answer as well; then each beat merges two groups at least. */
  bound: ({ nodes }) => 2 * Invitation.defaults.patienceMillis + nodes * Invitation.defaults.heartbeatEveryMillis
}

// ------------------------------------------------------------------------------------------------------- round a ring

/** With a failure detector, which may err for a while: then two lead, in different epochs. */
const detected = (name: string, faults: Partial<Faults.Faults>): World => ({
  name: `${name}, detected`,
  faults,
  but: ["at most one leader"],
  provide: () => (election) => Layer.provide(election, Heartbeat.layer())
})

const patienceMillis = 2_000

const ring = (
  algorithm: string,
  module: Pick<Subject, "card" | "protocol"> & { readonly layer: typeof Ring.layer },
  links: (nodes: number) => number
): Held => {
  const subject: Subject = {
    ...module,
    layer: () => module.layer(),
    /**
     * Who was suspected is heard again; an election that stands still is begun anew at the second look, where patience has
     * doubled for as long as there was no leader; then so many messages follow one another, and the announcement.
     */
    bound: ({ delay, disturbed, nodes }) =>
      Heartbeat.defaults.intervalMillis + 2 * (patienceMillis + disturbed) + (links(nodes) + 2 * nodes + 1) * delay
  }
  const { faults, name } = within(module.card, "chaos")
  return {
    algorithm,
    subject,
    worlds: [
      within(module.card, "none"),
      detected("crash", Faults.crash),
      { ...detected(dies.name, {}), dies: true, extraMillis: Heartbeat.defaults.deadlineMillis },
      detected("partition", Faults.partition),
      detected(name.replace(", splits", ""), { ...faults, partitionsPerMinute: Faults.chaos.partitionsPerMinute })
    ]
  }
}

// ------------------------------------------------------------------------------------------------------------- leases

const lease: Subject = {
  ...LeaseElection,
  layer: () => LeaseElection.layer(),
  /** The lease of one that is gone runs out, a look finds it so, and asks again where it was lost. */
  bound: () => 1.5 * LeaseElection.defaults.leaseMillis
}

const registerSurvives: Pick<World, "provide"> = {
  provide: () => {
    const register = MemoryRegister.layer(MemoryRegister.make())
    return (election) => Layer.provide(election, register)
  }
}

export const all: ReadonlyArray<Held> = [
  { algorithm: "bully", subject: bully, worlds: synchronous(bully) },
  { algorithm: "next-in-line", subject: nextInLine, worlds: synchronous(nextInLine) },
  { algorithm: "candidate/ordinary", subject: candidateOrdinary, worlds: synchronous(candidateOrdinary) },
  {
    algorithm: "invitation",
    subject: invitation,
    worlds: [...Invitation.card.assumes.tolerates.map((preset) => within(Invitation.card, preset)), dies]
  },
  ring("ring", Ring, (nodes) => 2 * nodes),
  ring("Chang–Roberts", ChangRoberts, (nodes) => 2 * nodes),
  ring("Hirschberg–Sinclair", HirschbergSinclair, (nodes) => 8 * nodes),
  ring("Dolev–Klawe–Rodeh", DolevKlaweRodeh, (nodes) => 3 * nodes),
  ring("Higham–Przytycka", HighamPrzytycka, (nodes) => 4 * nodes),
  ring("LeLann", LeLann, (nodes) => 2 * nodes),
  {
    algorithm: "lease",
    subject: lease,
    worlds: [
      within(LeaseElection.card, "none"),
      within(LeaseElection.card, "lossy"),
      { ...within(LeaseElection.card, "crash"), name: "crash, the register survives", ...registerSurvives },
      { ...dies, ...registerSurvives },
      within(LeaseElection.card, "partition"),
      {
        name: "chaos, without standing still; the register survives",
        faults: { ...Faults.chaos, pausesPerMinute: 0 },
        ...registerSurvives
      }
    ]
  }
]
