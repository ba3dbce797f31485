/** Every lock with its bound on waiting, and the worlds that are inside its card's assumptions. */
import {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  LamportQueue,
  LeaseLock,
  Maekawa,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
} from "@troupe/mutex"
import { MemoryRegister } from "@troupe/register"
import { Faults } from "@troupe/simulation"
import { Layer } from "effect"
import { detectedMillis, heldUp, lowestUp, type Subject, within, type World } from "./worlds.ts"

/** Nothing is lost; one that died is told of, by a failure detector or a view. */
const asynchronous = ({ card }: Subject): ReadonlyArray<World> => {
  const isFifo = card.assumes.channels.order !== "any"
  return [
    within(card, "none"),
    // Nothing is left of it on channels that keep the order.
    ...(isFifo ? [] : [within(card, "lossy")]),
    isFifo ? { ...heldUp, faults: { ...heldUp.faults, reorderProbability: 0 } } : heldUp,
    within(card, "chaos")
  ]
}

/** The others are told, and then what the dead had or was to do is seen to. */
const dead = (death: World["death"], more: Partial<World> = {}): World => ({
  name: `crash for good, ${death}`,
  faults: {},
  ...(death === undefined ? {} : { death }),
  extraMillis: detectedMillis,
  ...more
})

const ringRestMillis = 20
const ring: Subject = {
  ...TokenRing,
  layer: (options) => TokenRing.layer({ ...options, rest: ringRestMillis }),
  /** A round, in which all others enter. */
  bound: ({ delay, nodes, stay }) => nodes * (delay + stay) + ringRestMillis
}
/** The token is missed, at the second look; it is looked for, and asked for again where somebody was asked in vain. */
const ringRecovery = { extraMillis: 3 * TokenRing.defaults.lostAfterMillis }

const elected: Subject = {
  ...Coordinator,
  layer: (options) => Coordinator.layer({ ...options, leader: lowestUp }) as ReturnType<Subject["layer"]>,
  bound: ({ delay, nodes, stay }) => 4 * delay + stay + (nodes - 1) * (stay + 2 * delay)
}

const leaseLookMillis = (1.5 * LeaseLock.defaults.leaseMillis) / 8
const lease: Subject = {
  ...LeaseLock,
  /** Each is told of by the one before it, in five messages; one look, where a sign was overtaken. */
  bound: ({ delay, nodes, stay }) => nodes * (stay + 6 * delay) + leaseLookMillis
}
const leaseRecovery = { extraMillis: LeaseLock.defaults.leaseMillis + 2 * leaseLookMillis }
const registerSurvives: Pick<World, "provide"> = {
  provide: (lock) => Layer.provide(lock, MemoryRegister.layer(MemoryRegister.make()))
}

/** All others enter once before, at the most; from each to the next one it takes so many messages in turn. */
const byClaims =
  (messages: number): Subject["bound"] =>
  ({ delay, nodes, stay }) =>
    3 * delay + (nodes - 1) * (stay + messages * delay)

const coordinator: Subject = {
  ...Coordinator,
  bound: ({ delay, nodes, stay }) => 2 * delay + (nodes - 1) * (stay + 2 * delay)
}
const queue: Subject = { ...LamportQueue, bound: byClaims(1) }
const ricart: Subject = { ...RicartAgrawala, bound: byClaims(1) }
const carvalho: Subject = { ...CarvalhoRoucairol, bound: byClaims(2) }
const suzuki: Subject = { ...SuzukiKasami, bound: ({ delay, nodes, stay }) => 2 * delay + nodes * (stay + delay) }
const raymond: Subject = { ...Raymond, bound: ({ delay, nodes, stay }) => nodes * stay + 4 * (nodes - 1) * delay }
const maekawa: Subject = { ...Maekawa, bound: byClaims(4) }
const tree: Subject = { ...AgrawalElAbbadi, bound: byClaims(4) }

export interface Held {
  readonly algorithm: string
  readonly subject: Subject
  readonly worlds: ReadonlyArray<World>
}

const held = (algorithm: string, subject: Subject, worlds: ReadonlyArray<World>): Held => ({
  algorithm,
  subject,
  worlds
})

export const all: ReadonlyArray<Held> = [
  held("coordinator", coordinator, asynchronous(coordinator)),
  held("coordinator, elected", elected, [dead("detected")]),
  held("token ring", ring, [
    ...(["none", "lossy", "crash", "partition", "chaos"] as const).map((preset) => ({
      ...within(TokenRing.card, preset),
      ...(preset === "none" ? {} : ringRecovery)
    })),
    dead("detected", { extraMillis: detectedMillis + ringRecovery.extraMillis })
  ]),
  held("Lamport's queue", queue, [...asynchronous(queue), dead("detected")]),
  held("Ricart–Agrawala", ricart, [...asynchronous(ricart), dead("left out of the view")]),
  held("Carvalho–Roucairol", carvalho, asynchronous(carvalho)),
  held("Suzuki–Kasami", suzuki, [...asynchronous(suzuki), dead("detected")]),
  held("Raymond", raymond, asynchronous(raymond)),
  held("Maekawa", maekawa, asynchronous(maekawa)),
  held("Agrawal–El Abbadi", tree, [...asynchronous(tree), dead("detected")]),
  held("lease lock", lease, [
    within(LeaseLock.card, "none"),
    ...(["lossy", "partition"] as const).map((preset) => ({ ...within(LeaseLock.card, preset), ...leaseRecovery })),
    { ...within(LeaseLock.card, "crash"), name: "crash, the register survives", ...leaseRecovery, ...registerSurvives },
    {
      name: "chaos, without standing still; the register survives",
      faults: { ...Faults.chaos, pausesPerMinute: 0 },
      ...leaseRecovery,
      ...registerSurvives
    }
  ])
]
