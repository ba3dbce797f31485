/**
 * What is seen of a run: each node reports its steps and what it is at, with the time, wherever it runs.
 *
 * In one process the sightings come in the order in which they happen. Those of several processes are brought into order
 * by their times (see `worlds/Tcp.ts`): all clocks of one machine that count from its start agree.
 */
import { Observer } from "@troupe/actor"
import { FailureDetector, Heartbeat, type Status } from "@troupe/failure-detection"
import type { MemoryStorage } from "@troupe/storage"
import { type NodeId, Transport } from "@troupe/transport"
import { Clock, Context, Effect, Layer, Random, type Scope } from "effect"
import { crashOf } from "./Crashes.ts"
import { type Demonstration, type Role, type Stage, unwatched } from "./Demonstration.ts"
import { type Staged, victimOf } from "./worlds/World.ts"

export type Sighting = { readonly node: NodeId.NodeId; readonly atNanos: number } & What

type What =
  /** The actor has a first state, or made a step. The state is left out where it is the same as before. */
  | {
      readonly _tag: "Step"
      readonly state?: unknown
      /** The tags of the messages that the step sent, and of the one that it received. */
      readonly sent: ReadonlyArray<string>
      readonly received: string | undefined
      readonly failure?: string
    }
  | {
      readonly _tag: "Shows"
      readonly role: Role
      readonly detail: string
      /** Whom it follows, of an election. */
      readonly leader?: { readonly id: NodeId.NodeId; readonly epoch: number }
    }
  /** It thinks this of another node; of some node, where it can't tell which. */
  | { readonly _tag: "Says"; readonly status: Status; readonly about: NodeId.NodeId | undefined }
  /** It sends an item that is to come to all. */
  | { readonly _tag: "Sent"; readonly item: string }
  /** It has one, and this in all. */
  | { readonly _tag: "Got"; readonly item: string; readonly detail: string }
  /** Its request has waited for so long, on these. */
  | { readonly _tag: "Delayed"; readonly millis: number; readonly waitsFor: ReadonlyArray<NodeId.NodeId> }
  /** The run has killed the node. */
  | { readonly _tag: "Killed" }
  | { readonly _tag: "Finished" }
  /** The program of the node has come to its end. */
  | { readonly _tag: "Done" }

/** How often a node begins an operation, and how long it takes. */
export interface Pace {
  readonly next: Effect.Effect<boolean>
  readonly work: Effect.Effect<void>
}

/** Runs the part of one node, and tells what it does. */
export const perform = Effect.fnUntraced(function* (
  demonstration: Demonstration,
  pace: Pace,
  tell: (sighting: Sighting) => void,
  crash?: Staged,
  disk?: MemoryStorage.Store
): Effect.fn.Return<void, Error, Transport | Scope.Scope> {
  const { nodes, self: node } = yield* Transport
  const clock = yield* Clock.Clock
  const seen = () => ({ node, atNanos: Number(clock.monotonicTimeNanosUnsafe()) })
  const stage: Stage = {
    next: pace.next,
    work: pace.work,
    finished: Effect.sync(() => tell({ ...seen(), _tag: "Finished" })),
    show: (role, detail = "", leader) =>
      Effect.sync(() => {
        const followed = leader === undefined ? {} : { leader: { id: leader.id, epoch: leader.epoch } }
        tell({ ...seen(), _tag: "Shows", role, detail, ...followed })
      }),
    says: (status, about) => Effect.sync(() => tell({ ...seen(), _tag: "Says", status, about })),
    pause: unwatched.pause,
    ...(disk === undefined ? {} : { disk }),
    sends: (item) => tell({ ...seen(), _tag: "Sent", item }),
    gets: (item, detail) => tell({ ...seen(), _tag: "Got", item, detail }),
    ...(crash === undefined
      ? {}
      : { delayed: (delay) => Effect.sync(() => tell({ ...seen(), _tag: "Delayed", ...delay })) }),
    // Who leads is killed: not the one that the others cannot do without.
    stands: crash === undefined || node !== nodes[0] || crashOf(demonstration)?.restsOnLowest !== true
  }
  const program = demonstration
    .program(stage)
    .pipe(Effect.provideService(Observer, observe(demonstration.actor, seen, tell, yield* Observer)))
  yield* crash?.detector === true
    ? Effect.flatMap(Layer.build(Heartbeat.layer()), (context) =>
        Effect.provideService(program, FailureDetector, Context.get(context, FailureDetector))
      )
    : program
  tell({ ...seen(), _tag: "Done" })
})

/** Tells the steps of one actor, and hands them on to the observer that is there already. */
const observe = (
  actor: string,
  seen: () => { readonly node: NodeId.NodeId; readonly atNanos: number },
  tell: (sighting: Sighting) => void,
  outer: Observer | undefined
): Observer => {
  let latest: unknown
  return {
    onSpawn: (spawned) => {
      if (spawned.actor === actor) {
        latest = spawned.state
        tell({ ...seen(), _tag: "Step", state: latest, sent: [], received: undefined })
      }
      outer?.onSpawn(spawned)
    },
    onStep: (step) => {
      if (step.actor === actor) {
        tell({
          ...seen(),
          _tag: "Step",
          sent: step.actions.flatMap((action) => (action._tag === "Send" ? [tagOf(action.message)] : [])),
          received: step.input._tag === "Message" ? tagOf(step.input.message) : undefined,
          ...(step.state === latest ? {} : { state: step.state }),
          ...(step.failure === undefined ? {} : { failure: String(step.failure) })
        })
        latest = step.state
      }
      outer?.onStep(step)
    },
    onStop: (stopped) => outer?.onStop?.(stopped)
  }
}

const tagOf = (message: unknown): string =>
  typeof message === "string"
    ? message
    : typeof message === "object" && message !== null && "_tag" in message
      ? String(message._tag)
      : "message"

/** A node's share of `entries`, one after the other, each of which takes `workMillis`. */
export const share = ({
  entries,
  node,
  nodes,
  workMillis
}: {
  readonly entries: number
  readonly node: NodeId.NodeId
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly workMillis: number
}): Pace => {
  let left = Math.ceil((entries - nodes.indexOf(node)) / nodes.length)
  return {
    next: Effect.sync(() => left-- > 0),
    work: workMillis > 0 ? Effect.sleep(workMillis) : Effect.yieldNow
  }
}

/** Where a crash is staged: again and again, after a breath, until the run is stopped. The victim does not leave again. */
const untilKilled = ({ node, nodes, workMillis }: Parameters<typeof share>[0]): Pace => {
  let times = 0
  const isVictim = node === victimOf(nodes)
  return {
    next: Effect.as(Effect.sleep("20 millis"), true),
    work: Effect.suspend(() => (isVictim && ++times === 2 ? Effect.never : Effect.sleep(workMillis)))
  }
}

/** So many seconds, of what is ongoing; of all else, a node's share of so many operations. */
export const paceOf = (demonstration: Demonstration, given: Parameters<typeof share>[0], crash?: Staged): Pace => {
  if (crash !== undefined) return untilKilled(given)
  if (!demonstration.isOngoing) return share(given)
  let left = given.entries
  return { next: Effect.sync(() => left-- > 0), work: Effect.sleep("1 second") }
}

/** Operations at random moments, two seconds apart at the most, until a time of the run. For seeing it under faults. */
export const untilMillis = (endMillis: number): Pace => ({
  next: Effect.gen(function* () {
    yield* Effect.sleep(Math.ceil((yield* Random.next) * 2_000))
    return Number(yield* Clock.monotonicTimeNanos) < endMillis * 1e6
  }),
  work: Effect.sleep("50 millis")
})
