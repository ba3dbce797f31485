/**
 * Messages for whoever wants them, on all nodes: a publisher needs to know no subscriber, nor a subscriber where messages come
 * from. One message goes to each node that has subscribers, however many they are; what it says is written once.
 *
 * A message reaches each subscriber once at the most: it is lost where a link or a node is, where a mailbox is full, and to
 * subscribers that its node has not heard of yet. What one publisher sends arrives in its order.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Receptionist, Topic } from "@troupe/actor"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const News = Messages.make("news", { Item: Messages.tell({ text: Schema.String }) })
 *
 * const reader = Behavior.make(News, {
 *   init: () => 0,
 *   on: {
 *     Item: (count, { text }) => {
 *       console.log(text)
 *       return count + 1
 *     }
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const news = yield* Topic.make(News)
 *   news.subscribe(yield* ActorSystem.spawn(reader))
 *   news.publish({ _tag: "Item", text: "it works" })
 *   yield* Effect.sleep("10 millis")
 * })
 *
 * const live = Receptionist.layer().pipe(Layer.provideMerge(ActorSystem.layer()))
 * await Effect.runPromise(program.pipe(Effect.provide(live))) // it works
 */
import { Effect } from "effect"
import type { ActorRef } from "./ActorRef.ts"
import { ActorSystem } from "./ActorSystem.ts"
import { type Behavior, make as behave, type Table } from "./Behavior.ts"
import { Cell } from "./internal/system/Cell.ts"
import { RemoteRef } from "./internal/system/RemoteRef.ts"
import { tellAll } from "./internal/system/spreading.ts"
import type { Definition, MessageOf, Messages } from "./Messages.ts"
import { key, type Listing, Receptionist, type ServiceKey } from "./Receptionist.ts"

export interface Topic<in out D extends Definition> {
  readonly name: string
  readonly messages: Messages<D>
  /** For handlers, too. Throws `MessageTooLarge` or `Misunderstood`, to nobody's benefit, what cannot be sent. */
  readonly publish: (message: MessageOf<D>) => void
  /** An actor of this node, until it ends or is taken off: one that understands the messages, or others made of them. */
  readonly subscribe: {
    (ref: ActorRef<D>): void
    <C extends Definition>(ref: ActorRef<C>, message: (published: MessageOf<D>) => MessageOf<C>): void
  }
  readonly unsubscribe: (ref: ActorRef<any>) => void
}

/**
 * The topic of this name and these messages: the same on all nodes, and however often it is made. Questions among the messages
 * are told, and answered to nobody. Default `name`: that of the messages.
 */
export const make = <D extends Definition>(
  messages: Messages<D>,
  name: string = messages.name
): Effect.Effect<Topic<D>, never, ActorSystem | Receptionist> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem
    const receptionist = yield* Receptionist
    const relays = relaysOf(receptionist)
    const service = key(messages, `topic/${name}`)
    const id = `${name}\0${messages.name}`
    const others = othersOf(() => receptionist.listing(service))
    return {
      name,
      messages,
      publish: (message) => {
        const refs = others()
        tellAll(refs, message)
        relays.get(id)?.ref.tell(message as never)
      },
      subscribe: (ref: ActorRef<any>, message: Translate = asItIs) => {
        if (!(ref instanceof Cell)) throw new TypeError(`"${ref.path}" is at another node: subscribe it there`)
        if (ref.isEnded) return
        let relay = relays.get(id)
        if (relay === undefined)
          relays.set(id, (relay = new Relay(system, receptionist, service, () => relays.delete(id))))
        relay.add(ref, message)
      },
      unsubscribe: (ref) => relays.get(id)?.remove(ref as unknown as Cell)
    }
  })

/** Those of other nodes: looked for when the listing has changed. */
const othersOf = (listing: () => Listing<any>): (() => ReadonlyArray<RemoteRef>) => {
  let before: Listing<any> = []
  let others: ReadonlyArray<RemoteRef> = []
  return () => {
    const now = listing()
    if (now !== before) {
      before = now
      others = (now as ReadonlyArray<unknown>).filter((ref) => ref instanceof RemoteRef)
    }
    return others
  }
}

type Translate = (published: any) => unknown

const asItIs: Translate = (published) => published

/** Those of a node, by topics. */
const known = new WeakMap<Receptionist["Service"], Map<string, Relay>>()

const relaysOf = (receptionist: Receptionist["Service"]): Map<string, Relay> => {
  let relays = known.get(receptionist)
  if (relays === undefined) known.set(receptionist, (relays = new Map()))
  return relays
}

/** Hands on to the subscribers of its node, for as long as there are any. */
class Relay {
  readonly ref: ActorRef<any>
  private readonly system: ActorSystem["Service"]
  private readonly subscribers = new Map<Cell, { readonly message: Translate; readonly onEnd: () => void }>()
  private readonly onEmpty: () => void

  constructor(
    system: ActorSystem["Service"],
    receptionist: Receptionist["Service"],
    service: ServiceKey<any>,
    onEmpty: () => void
  ) {
    this.system = system
    this.onEmpty = onEmpty
    this.ref = Effect.runSync(system.spawn(this.behavior(service.messages)))
    const registered = Effect.onError(receptionist.register(service, this.ref), () => system.stop(this.ref))
    Effect.runSync(registered)
  }

  private behavior(messages: Messages<any>): Behavior<any> {
    const handle: Table[string]["handle"] = (state, message) => {
      this.handOn(message)
      return state
    }
    const table = Object.fromEntries(Object.keys(messages.definition).map((tag) => [tag, { handle, isAsk: false }]))
    const behavior = behave(messages, { mailbox: { onFull: "drop-newest" }, init: () => undefined, on: {} as never })
    return { ...behavior, table }
  }

  private handOn(published: unknown): void {
    for (const [ref, { message }] of this.subscribers) {
      try {
        ref.tell(message(published))
      } catch {
        ref.system.deadLetters.add(ref, published, ref.isFull ? "mailbox full" : "not understood")
      }
    }
  }

  add(ref: Cell, message: Translate): void {
    const onEnd = this.subscribers.get(ref)?.onEnd ?? ((): void => this.remove(ref))
    if (!this.subscribers.has(ref)) ref.onEnd(onEnd)
    this.subscribers.set(ref, { message, onEnd })
  }

  remove(ref: Cell): void {
    const subscriber = this.subscribers.get(ref)
    if (subscriber === undefined) return
    this.subscribers.delete(ref)
    ref.untold(subscriber.onEnd)
    if (this.subscribers.size > 0) return
    this.onEmpty()
    Effect.runFork(this.system.stop(this.ref))
  }
}
