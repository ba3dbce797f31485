/**
 * The `Election` service over an actor that knows a leader: what every election of this package shares.
 */
import type { Actor } from "@troupe/actor"
import { Effect, Option, Queue, Stream } from "effect"
import type { Election, Leader } from "../Election.ts"
import { inGroup } from "./group.ts"

type Command = { readonly _tag: "Campaign" } | { readonly _tag: "Resign" }
type Event =
  | { readonly _tag: "LeaderChanged"; readonly leader: Leader | undefined }
  /** What an algorithm needs of its layer. */
  | { readonly _tag: "Ask" | "Acquired" | "Lost" }

/**
 * Hand `onRestart` to the actor: when it has forgotten whom it follows, its node does not lead any more. Fails with
 * `InvalidOptions` where the node is not in its group, once.
 */
export const electing = <State>(leaderOf: (state: State) => Leader | undefined) =>
  Effect.map(inGroup, () => {
    const listeners = new Set<(leader: Leader | undefined) => void>()
    let actor: Actor.Actor<State, Command, Event> | undefined
    let closed: Effect.Effect<never> | undefined

    const tell = (leader: Leader | undefined): void => {
      for (const listener of listeners) listener(leader)
    }

    const listen = (listener: (leader: Leader | undefined) => void) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          listeners.add(listener)
          listener(leader())
        }),
        () => Effect.sync(() => listeners.delete(listener))
      )

    const leader = (): Leader | undefined =>
      actor === undefined || closed !== undefined ? undefined : leaderOf(actor.state())

    /** Waits until what this node knows of the leader makes something of it. */
    const until = <A>(make: (leader: Leader | undefined) => A | undefined): Effect.Effect<A> =>
      Effect.callback<A>((resume) => {
        const listener = (leader: Leader | undefined): void => {
          if (closed !== undefined) return resume(closed)
          const made = make(leader)
          if (made !== undefined) resume(Effect.succeed(made))
        }
        listeners.add(listener)
        listener(leader())
        return Effect.sync(() => listeners.delete(listener))
      })

    const whileLeader: Election["Service"]["whileLeader"] = (body) => {
      const self = actor!.node
      const lead = until((leader) => (leader?.id === self ? leader.epoch : undefined))
      const loss = (epoch: number) =>
        until((leader) => (leader?.id === self && leader.epoch === epoch ? undefined : Option.none<never>()))
      return Effect.flatMap(lead, (epoch) =>
        Effect.flatMap(Effect.raceFirst(loss(epoch), Effect.asSome(Effect.suspend(() => body(epoch)))), (ended) =>
          Option.isSome(ended) ? Effect.succeed(ended.value) : whileLeader(body)
        )
      )
    }

    const close = (why: Effect.Effect<never>) =>
      Effect.sync(() => {
        if (closed !== undefined) return
        closed = why
        tell(undefined)
      })

    const election = Effect.fnUntraced(function* (spawned: Actor.Actor<State, Command, Event>) {
      actor = spawned
      spawned.subscribe((event) => event._tag === "LeaderChanged" && tell(event.leader))
      yield* Effect.addFinalizer(() => close(Effect.interrupt))
      yield* Effect.forkScoped(Effect.catch(spawned.failed, (failure) => close(Effect.die(failure))))
      const service: Election["Service"] = {
        self: spawned.node,
        leader: Effect.sync(() => Option.fromUndefinedOr(leader())),
        changes: Stream.callback<Option.Option<Leader>>(
          (queue) => listen((leader) => void Queue.offerUnsafe(queue, Option.fromUndefinedOr(leader))),
          { bufferSize: 64, strategy: "sliding" }
        ),
        campaign: Effect.sync(() => spawned.tell({ _tag: "Campaign" })),
        resign: Effect.sync(() => spawned.tell({ _tag: "Resign" })),
        whileLeader
      }
      return service
    })

    return { onRestart: (): void => tell(leader()), election }
  })
