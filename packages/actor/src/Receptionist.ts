/**
 * How actors find each other without knowing where they are: who offers something is registered under a key, and who wants it
 * asks for all that are, on all nodes, now or as that changes.
 *
 * Each node has a receptionist, and owns what is registered with it. The others are told of each change at once; every second
 * they compare, so that who missed something, or came late, gets it. When the network is whole again, all list the same after
 * one such interval and five messages in a row. What a listing holds may yet have ended a moment ago: who asks such an actor
 * is told so.
 *
 * An actor that moves is registered where it is as soon as it lives there. Each node lists it once, at the latest place that it
 * has heard of. At the old one its entry stays for three comparisons: only who does not hear of the new one in that time lists
 * it nowhere, until it does. Where a node has no receptionist, it is listed again when it moves on.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Receptionist } from "@troupe/actor"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Greeter = Messages.make("greeter", { Greet: Messages.ask({ name: Schema.String }, { reply: Schema.String }) })
 *
 * const greeter = Behavior.make(Greeter, {
 *   init: () => 0,
 *   on: { Greet: (count, { name }) => ({ state: count + 1, reply: `hello, ${name}` }) }
 * })
 *
 * const Greeters = Receptionist.key(Greeter)
 *
 * const program = Effect.gen(function*() {
 *   const receptionist = yield* Receptionist.Receptionist
 *   yield* receptionist.register(Greeters, yield* ActorSystem.spawn(greeter))
 *   const [first] = yield* receptionist.find(Greeters)
 *   return yield* first!.ask({ _tag: "Greet", name: "Ann" })
 * })
 *
 * const live = Receptionist.layer().pipe(Layer.provideMerge(ActorSystem.layer()))
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(live)))) // hello, Ann
 */
import { Context, type Duration, Effect, Layer, Queue, Random, Schema, Stream } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { ActorSystem } from "./ActorSystem.ts"
import { type Behavior, make as behave, type Table } from "./Behavior.ts"
import { inSpan } from "./internal/observed/here.ts"
import { type Desk, deskOf } from "./internal/receptionist/Desk.ts"
import { Registry } from "./internal/receptionist/Registry.ts"
import { mostCharacters, mostEntries, mostPath, Talk } from "./internal/receptionist/talk.ts"
import { Cell } from "./internal/system/Cell.ts"
import type { NameTaken } from "./internal/system/failures.ts"
import { duration } from "./internal/system/options.ts"
import { RemoteRef } from "./internal/system/RemoteRef.ts"
import { tellAll } from "./internal/system/spreading.ts"
import { known } from "./internal/system/System.ts"
import type { Definition, MessageOf, Messages } from "./Messages.ts"

/** What actors are registered under. Two keys are the same if their names are, and the names of their messages. */
export interface ServiceKey<in out D extends Definition> {
  readonly name: string
  readonly messages: Messages<D>
}

/** Default `name`: that of the messages. 256 characters at the most. */
export const key = <D extends Definition>(messages: Messages<D>, name: string = messages.name): ServiceKey<D> => ({
  name,
  messages
})

/** The actors under a key: those of this node first, then by node; of a node, in the order of their registration. */
export type Listing<D extends Definition> = ReadonlyArray<ActorRef<D>>

/** The actor is not registered. */
export class RegistrationRefused extends Schema.TaggedError<RegistrationRefused>()("RegistrationRefused", {
  key: Schema.String,
  actor: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.actor}" cannot be registered as "${this.key}": ${this.reason}`
  }
}

export class Receptionist extends Context.Service<
  Receptionist,
  {
    /**
     * Lists an actor of this node, until it ends or is taken off. One that starts again stays; one that has moved, or does so
     * later, is listed where it is. Once is enough. A node registers 4,096 at the most, of all keys together.
     */
    readonly register: <D extends Definition>(
      key: ServiceKey<D>,
      ref: ActorRef<D>
    ) => Effect.Effect<void, RegistrationRefused>
    /** Of one that has moved: where it is. */
    readonly deregister: <D extends Definition>(key: ServiceKey<D>, ref: ActorRef<D>) => Effect.Effect<void>
    /** Who is known now. */
    readonly find: <D extends Definition>(key: ServiceKey<D>) => Effect.Effect<Listing<D>>
    /** The same, for handlers. */
    readonly listing: <D extends Definition>(key: ServiceKey<D>) => Listing<D>
    /** Who is known now, then after each change. A slow reader gets the latest. */
    readonly subscribe: <D extends Definition>(key: ServiceKey<D>) => Stream.Stream<Listing<D>>
    /**
     * Tells an actor of this node who is known now, then after each change, until it ends. What finds its mailbox full is told
     * again at the next comparison, as it is then. For handlers; again for the same key and actor, it replaces the earlier one.
     */
    readonly subscribeActor: <D extends Definition, C extends Definition>(
      key: ServiceKey<D>,
      ref: ActorRef<C>,
      message: (listing: Listing<D>) => MessageOf<C>
    ) => void
    readonly unsubscribeActor: <D extends Definition>(key: ServiceKey<D>, ref: ActorRef<any>) => void
  }
>()("@troupe/actor/Receptionist") {}

export interface Options {
  /** How often nodes compare what they have heard: each with each, in a message of some 80 bytes. Default: 1 second. */
  readonly interval?: Duration.Input
}

const make = (intervalMillis: number) =>
  Effect.gen(function* () {
    const service = yield* ActorSystem
    const { remote } = known.get(service)!
    const life = yield* Random.nextIntBetween(1, 2 ** 48)
    const peer = (node: string) => new RemoteRef(remote!, Talk, node, { life: 0, serial: 0, path })
    const peers = new Map((remote?.nodes ?? []).map((node) => [node, peer(node)]))
    const registry: Registry = new Registry(
      life,
      remote,
      (nodes, message) => {
        try {
          const refs = nodes.map((node) => peers.get(node)!)
          inSpan(undefined, () => tellAll(refs, message))
        } catch {
          // It is too large for the transport. What is compared is not, and what is fetched is tried again.
        }
      },
      () => inSpan(undefined, () => ref.tell({ _tag: news } as never))
    )
    const subscribers = new Subscribers(registry)
    const ref = yield* service.spawn(receptionist(registry, subscribers, intervalMillis), {
      name: path
    })
    const undo = remote?.onDown((node) => registry.down(node))
    const desk = deskOf((ref as unknown as Cell).system)
    desk.open(registry)
    yield* Effect.addFinalizer(() => {
      desk.close()
      registry.leave()
      undo?.()
      return service.stop(ref)
    })
    return serviceOf(registry, desk, subscribers)
  })

const serviceOf = (registry: Registry, desk: Desk, subscribers: Subscribers): Receptionist["Service"] => ({
  register: (key, ref) =>
    Effect.suspend(() => {
      const reason = refusal(registry, key, ref)
      if (reason !== undefined) return Effect.fail(new RegistrationRefused({ key: key.name, actor: ref.path, reason }))
      desk.enlist(ref as unknown as Cell, namesOf(key), true)
      return Effect.void
    }),
  deregister: (key, ref) =>
    Effect.sync(() => {
      if (ref instanceof Cell) desk.enlist(ref, namesOf(key), false)
    }),
  find: (key) => Effect.sync(() => registry.listings.of(key)),
  listing: (key) => registry.listings.of(key),
  subscribe: <D extends Definition>(key: ServiceKey<D>) =>
    Stream.callback<Listing<D>>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => registry.listings.subscribe(key, (refs) => Queue.offerUnsafe(queue, refs))),
          (undo) => Effect.sync(undo)
        ),
      { bufferSize: 1, strategy: "sliding" }
    ),
  subscribeActor: (key, ref, message) => {
    if (!(ref instanceof Cell))
      throw new TypeError(`"${ref.path}" is at another node: have it told by the receptionist there`)
    subscribers.add(key, ref, message as (listing: Listing<any>) => unknown)
  },
  unsubscribeActor: (key, ref) => subscribers.remove(key, ref as Cell)
})

const namesOf = ({ messages, name }: ServiceKey<any>) => ({ name, messages: messages.name })

/** Why an actor is not registered. */
const refusal = (registry: Registry, key: ServiceKey<any>, ref: ActorRef<any>): string | undefined => {
  if (!(ref instanceof Cell)) return "it is at another node. Register it there"
  if (ref.isEnded) return "it has stopped"
  if (Math.max(key.name.length, key.messages.name.length) > mostCharacters) {
    return `a name has ${mostCharacters} characters at the most`
  }
  if (ref.path.length > mostPath) return `its path has more than ${mostPath} characters. Give it shorter names`
  if (ref.status !== "moved" && registry.room === 0 && !registry.has(key, ref)) {
    return `${mostEntries} are registered on this node, which is as many as may. Put a router in front of several`
  }
  return undefined
}

/** A receptionist for the actors of this node, that knows those of the other nodes where the system is a remote one. */
export const layer = (options: Options = {}): Layer.Layer<Receptionist, NameTaken, ActorSystem> =>
  Layer.effect(
    Receptionist,
    make(duration({ of: "Receptionist.layer", option: "interval", given: options.interval ?? "1 second" }))
  )

// ------------------------------------------------------------------------------------------------- the actor that it is

/** Where it stands, on every node. */
const path = "receptionist"

/** Told to itself alone: no other node can write these. */
const tick = "\0tick"
const news = "\0news"

const receptionist = (
  registry: Registry,
  subscribers: Subscribers,
  intervalMillis: number
): Behavior<typeof Talk.definition> => {
  const own = (handle: () => void): Table[string] => ({ isAsk: false, handle })
  const behavior = behave(Talk, {
    init: (self): void => {
      self.setInterval("compare", intervalMillis, { _tag: tick } as never)
      registry.compareAll(true)
    },
    on: {
      Compare: (_, message) => registry.onCompare(message),
      Changed: (_, message) => registry.onChanged(message),
      Fetch: (_, message) => registry.onFetch(message),
      Part: (_, message) => registry.onPart(message)
    }
  })
  const table = {
    ...behavior.table,
    [news]: own(() => registry.flush()),
    [tick]: own(() => {
      subscribers.tellAgain()
      registry.compareAll(false)
    })
  }
  return { ...behavior, table }
}

/** Actors that are told of listings. */
class Subscribers {
  private readonly byActor = new Map<Cell, Map<string, () => void>>()
  private readonly again = new Set<() => void>()
  private readonly registry: Registry

  constructor(registry: Registry) {
    this.registry = registry
  }

  add(key: ServiceKey<any>, cell: Cell, message: (listing: Listing<any>) => unknown): void {
    this.remove(key, cell)
    if (cell.isEnded) return
    const told = (): void => {
      try {
        cell.tell(message(this.registry.listings.of(key)))
        this.again.delete(told)
      } catch {
        this.again.add(told)
      }
    }
    let keys = this.byActor.get(cell)
    if (keys === undefined) {
      this.byActor.set(cell, (keys = new Map()))
      cell.onEnd(() => {
        for (const undo of this.byActor.get(cell)?.values() ?? []) undo()
        this.byActor.delete(cell)
      })
    }
    const end = this.registry.listings.subscribe(key, told)
    keys.set(idOf(key), () => {
      end()
      this.again.delete(told)
    })
  }

  remove(key: ServiceKey<any>, cell: Cell): void {
    const keys = this.byActor.get(cell)
    keys?.get(idOf(key))?.()
    keys?.delete(idOf(key))
  }

  tellAgain(): void {
    for (const told of [...this.again]) told()
  }
}

const idOf = ({ messages, name }: ServiceKey<any>): string => `${name}\0${messages.name}`
