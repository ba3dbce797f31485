/**
 * The chat of one node: its actors `users` and `rooms`, which speak with those of the other nodes.
 *
 * It knows neither sockets nor disks: those are layers below it, or, in a simulated world, others in their place.
 */
import { type ActorRef, ActorSystem, type AskError, Behavior, Receptionist } from "@troupe/actor"
import { downNodes, type FailureDetector } from "@troupe/failure-detection"
import type { Storage } from "@troupe/storage"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, type Scope } from "effect"
import { rooms } from "./Rooms.ts"
import { users } from "./Users.ts"
import type { Screen, Session, UserRefused } from "./Words.ts"

export class Chat extends Context.Service<
  Chat,
  {
    readonly node: NodeId.NodeId
    /** A session for as long as the scope lives. What its user types is told to it. */
    readonly connect: (
      user: string,
      screen: Screen
    ) => Effect.Effect<ActorRef<typeof Session.definition>, UserRefused | AskError, Scope.Scope>
  }
>()("@troupe/chat/Chat") {}

export interface Options {
  /** How often nodes tell each other who is where, and compare what was said. Default: half a second. */
  readonly every?: Duration.Input
}

const make = (everyMillis: number) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const { self: node } = yield* Transport
    yield* system.spawn(yield* Behavior.provide(rooms(everyMillis)), { name: "rooms" })
    const door = yield* system.spawn(yield* Behavior.provide(users), { name: "users" })
    return Chat.of({
      node,
      connect: (user, screen) =>
        Effect.acquireRelease(door.ask({ _tag: "Connect", user, screen }), (session) => system.stop(session))
    })
  })

/** On a system of actors of one's own. */
export const layer = (
  options: Options = {}
): Layer.Layer<Chat, ActorSystem.NameTaken, ActorSystem.ActorSystem | Storage | Transport> => {
  const everyMillis = Duration.toMillis(options.every ?? "500 millis")
  return Layer.effect(Chat, make(everyMillis)).pipe(Layer.provide(Receptionist.layer({ interval: everyMillis })))
}

/** A system of actors whose members watch each other by way of a failure detector. */
export const actors: Layer.Layer<ActorSystem.ActorSystem, ChannelInUse, FailureDetector | Transport> =
  ActorSystem.remote({ name: "chat", down: downNodes({ suspected: true }) })
