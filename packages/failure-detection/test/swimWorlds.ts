/** Worlds in which SWIM is measured: who holds whom for what and when, slow nodes, and what is sent. */
import { Actor, type Card } from "@troupe/actor"
import { type Opinion, Swim } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import { Codec, Transport } from "@troupe/transport"
import { Clock, Effect } from "effect"
import { nodesOf, protocol } from "./swimSupport.ts"

/** What a node said at a time, in milliseconds of the run. */
export interface Said extends Opinion {
  readonly by: string
  readonly atMillis: number
}

export interface Sent {
  messages: number
  bytes: number
  /** The most messages of one node. */
  most: number
  readonly tags: Record<string, number>
}

/** Sends and receives of these nodes block for a while, again and again; their timers run on (Lifeguard, §V-B). */
export interface Slow {
  readonly nodes: ReadonlyArray<string>
  readonly blockedMillis: number
  readonly freeMillis: number
}

export interface Measured {
  readonly nodes: number
  readonly seconds: number
  readonly seed?: number
  readonly options?: Partial<Swim.Options>
  readonly faults?: Partial<Faults.Faults>
  readonly scheduled?: Simulation.Options<unknown>["scheduled"]
  readonly slow?: Slow
  /** These stop for good at this time. */
  readonly crash?: { readonly nodes: ReadonlyArray<string>; readonly atMillis: number }
  /** From when on what is sent counts, and whether its bytes do: they take time to measure. */
  readonly countFromMillis?: number
  readonly countBytes?: boolean
}

const codec = Codec.binary(Swim.Message)

/** Without Lifeguard: the settings otherwise the same, so that the shortest suspicion is. */
export const plain: Partial<Swim.Options> = { healthAwareProbe: false, dynamicSuspicion: false, buddySystem: false }

/** Runs SWIM on nodes, and notes what each says and sends. */
export const measure = (given: Measured) => {
  const { countBytes = false, countFromMillis = 0, slow } = given
  const said: Array<Said> = []
  const sent: Sent = { messages: 0, bytes: 0, most: 0, tags: {} }
  const options = { ...Swim.defaults, ...given.options }
  const nodes = nodesOf(given.nodes)
  const program = Effect.fnUntraced(function* (node: string) {
    const clock = yield* Clock.Clock
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    let own = 0
    const count = ({ _tag, ...rest }: Swim.Message): void => {
      if (now() < countFromMillis) return
      sent.messages++
      sent.most = Math.max(sent.most, ++own)
      sent.tags[_tag] = (sent.tags[_tag] ?? 0) + 1
      if (countBytes) sent.bytes += Codec.encode(codec, { _tag, ...rest } as Swim.Message).length
    }
    const transport = counting(yield* Transport, count)
    const used = slow?.nodes.includes(node) === true ? yield* blocking(transport, slow) : transport
    const actor = yield* Actor.spawn(protocol, { options }).pipe(Effect.provideService(Transport, used))
    actor.subscribe((opinion) => said.push({ by: node, atMillis: now(), ...opinion }))
  })
  const crashes = (given.crash?.nodes ?? []).map((node) => ({
    ...{ _tag: "Crash" as const, node, atMillis: given.crash!.atMillis, forMillis: 1e9 }
  }))
  return Effect.map(
    Simulation.run({
      seed: given.seed ?? 1,
      nodes,
      faults: { ...Faults.none, ...given.faults },
      duration: `${given.seconds} seconds`,
      // What the seed draws goes on to the end of the run.
      planned: `${Math.ceil(given.seconds / 0.6)} seconds`,
      scheduled: [...crashes, ...(given.scheduled ?? [])],
      program
    }),
    ({ counts, violations }) => {
      if (violations.length > 0) throw new Error(JSON.stringify(violations))
      return { said, sent, counts }
    }
  )
}

type Service = Transport["Service"]

const counting = (transport: Service, count: (message: Swim.Message) => void): Service => ({
  ...transport,
  open: (channel, receive) =>
    Effect.map(transport.open(channel, receive), (send) => (to, message) => {
      count(message as Swim.Message)
      send(to, message)
    })
})

const blocking = (transport: Service, { blockedMillis, freeMillis }: Slow) =>
  Effect.gen(function* () {
    let waiting: Array<() => void> | undefined
    const orWait = (action: () => void): void => (waiting === undefined ? action() : void waiting.push(action))
    yield* Effect.gen(function* () {
      yield* Effect.sleep(freeMillis)
      waiting = []
      yield* Effect.sleep(blockedMillis)
      const due = waiting
      waiting = undefined
      for (const action of due) action()
    }).pipe(Effect.forever, Effect.forkScoped)
    const service: Service = {
      ...transport,
      open: (channel, receive) =>
        Effect.map(
          transport.open(channel, (from, message) => orWait(() => receive(from, message))),
          (send) => (to, message) => orWait(() => send(to, message))
        )
    }
    return service
  })

/** Of the nodes that are well, how often one was said to be down, by anybody and by those that are well. */
export const falsePositives = (
  said: ReadonlyArray<Said>,
  ill: ReadonlyArray<string>
): { readonly all: number; readonly atHealthy: number } => {
  const wrong = said.filter(({ node, status }) => status === "down" && !ill.includes(node))
  return { all: wrong.length, atHealthy: wrong.filter(({ by }) => !ill.includes(by)).length }
}

/** After how many milliseconds somebody suspected `node`, somebody took it for dead, and each of the others had. */
export const detection = (said: ReadonlyArray<Said>, node: string, atMillis: number) => {
  const times = (status: Opinion["status"]) =>
    said
      .filter((each) => each.node === node && each.status === status && each.atMillis >= atMillis)
      .map((each) => each.atMillis - atMillis)
  const suspected = times("suspected")
  const down = times("down")
  return {
    suspectedFirst: Math.min(...suspected),
    suspectedLast: Math.max(...suspected),
    suspectedBy: suspected.length,
    downFirst: Math.min(...down),
    downLast: Math.max(...down),
    downBy: down.length
  }
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

export type Snapshot = Card.Snapshot<Swim.State>
