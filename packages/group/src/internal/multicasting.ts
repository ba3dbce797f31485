/**
 * A protocol that multicasts payloads, as the service `Multicast`: what the layers of this package share.
 *
 * The protocol sees envelopes and decides whom they go to and when they are delivered. Here are topics, flow control of
 * who sends and who reads, and what is done with messages that can't be read.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { type Channel, ChannelInUse, type Codec, Transport } from "@troupe/transport"
import { Cause, Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import * as Multicast from "../Multicast.ts"
import { backlog } from "./backlog.ts"
import { Envelope, type Payload } from "./envelope.ts"
import { Gate } from "./gate.ts"
import { Topics } from "./topics.ts"

/** How to read the state of a multicast. */
export interface Reading<in State, in Options> {
  /** How many more messages of this node it takes; `Infinity` where it has no bound. */
  readonly room: (state: State, self: Protocol.Self<Options>) => number
  /** The members; none before it is in a view. */
  readonly view: (state: State) => Protocol.View | undefined
}

/** What every layer may be told. */
export interface Settings {
  /** Names the group: members use one name, and two groups of one node two. Default: `default`. */
  readonly group?: string
  /** How many bytes a message may have, with its topic's name. Default: 1 MiB. */
  readonly maxMessageBytes?: number
  /** How many messages wait for topics that are not open; one more is dropped. Default: 4,096. */
  readonly maxHeld?: number
  /** How many messages a reader of `deliveries` may be behind; one more ends this node's part. Default: 65,536. */
  readonly maxBacklog?: number
}

type Bounds = Required<Omit<Settings, "group">>

const mebibyte = 2 ** 20

type Command = Multicast.Command<Payload> | Multicast.Lag | Multicast.Snapshot
type Event = Multicast.Event<Payload> | Multicast.TransferEvent

export interface Multicasting<State, Options, G extends Multicast.Guarantee, Timer extends string = any> {
  readonly protocol: Protocol.Protocol<State, any, any, any, Timer, Options>
  readonly options: NoInfer<Options>
  /** Which of the options have to be whole numbers from 1. */
  readonly bounds?: Readonly<Record<string, number>>
  readonly guarantees: ReadonlyArray<G>
  readonly reading: Reading<State, Options>
  /** Whether the protocol takes `Lag`. Default: false. */
  readonly hasFlowControl?: boolean
  readonly codec?: (schema: Codec.MessageSchema<any>) => Codec.Codec<any>
}

export const layer = <State, Timer extends string, Options, const G extends Multicast.Guarantee>(
  multicasting: Multicasting<State, Options, G, Timer>,
  settings: Settings = {}
): Layer.Layer<Multicast.Multicast<G>, ChannelInUse | Multicast.InvalidOptions, Transport> =>
  Layer.effect(Multicast.key<G>(), make(multicasting as Multicasting<State, Options, G>, settings))

const make = <State, Options, const G extends Multicast.Guarantee>(
  multicasting: Multicasting<State, Options, G>,
  settings: Settings
): Effect.Effect<Multicast.Service<G>, ChannelInUse | Multicast.InvalidOptions, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const { maxBacklog = 65_536, maxHeld = 4096, maxMessageBytes = mebibyte } = settings
    for (const [name, value] of Object.entries({ maxBacklog, maxHeld, maxMessageBytes, ...multicasting.bounds })) {
      if (Number.isSafeInteger(value) && value > 0) continue
      return yield* new Multicast.InvalidOptions({ reason: `${name} is ${value}, and has to be a whole number from 1` })
    }
    const context = yield* Effect.context<never>()
    // Closed earlier where this node ends its part: then it is silent, as one that crashed.
    const part = yield* Scope.fork(yield* Effect.scope)
    const member = new Member(
      multicasting,
      { maxBacklog, maxHeld, maxMessageBytes },
      {
        run: Effect.runForkWith(context),
        leave: Scope.close(part, Exit.void)
      }
    )
    yield* Scope.provide(member.spawn(settings.group ?? "default"), part)
    yield* Effect.addFinalizer(() => Effect.sync(() => member.fail("its scope is closed")))
    return member.service
  })

/** A send that waits for room. */
interface Waiting {
  readonly envelope: Envelope
  readonly resume: (result: Effect.Effect<void, Multicast.SendFailed>) => void
}

interface Seams {
  readonly run: (effect: Effect.Effect<void>) => unknown
  readonly leave: Effect.Effect<void>
}

/** How many commands may wait for their turn where handlers of deliveries send. */
const maxPending = 1024

/** By how many messages the reader's lag changes before the protocol is told. */
const lagStep = 32

class Member<State, Options, G extends Multicast.Guarantee> {
  readonly service: Multicast.Service<G>
  private readonly multicasting: Multicasting<State, Options, G>
  private readonly maxMessageBytes: number
  private readonly maxBacklog: number
  private readonly seams: Seams
  private readonly topics: Topics
  private readonly counters: Multicast.Counters = { sent: 0, delivered: 0, undecodable: 0, unopened: 0 }
  private readonly waiting = new Set<Waiting>()
  private readonly viewListeners = new Set<(view: Protocol.View) => void>()
  private actor!: Actor.Actor<State, Command, Event>
  /** Messages given to the actor that have not had their turn. */
  private pending = 0
  private releasing = false
  /** Whether what is sent becomes bytes anyway; not known before something was sent. */
  private encodes: boolean | undefined
  private lag = 0
  private lagTold = 0
  private failed: string | undefined

  constructor(multicasting: Multicasting<State, Options, G>, bounds: Bounds, seams: Seams) {
    this.multicasting = multicasting
    this.maxMessageBytes = bounds.maxMessageBytes
    this.maxBacklog = bounds.maxBacklog
    this.seams = seams
    this.topics = new Topics(bounds.maxHeld, this.counters, {
      node: () => this.actor.node,
      log: (what, cause) => this.log(what, cause)
    })
    this.service = this.makeService()
  }

  spawn(group: string): Effect.Effect<void, ChannelInUse, Transport | Scope.Scope> {
    const { codec, options, protocol } = this.multicasting
    const gate = new Gate()
    return Effect.gen({ self: this }, function* () {
      this.actor = yield* Actor.spawn(this.counting(protocol), {
        name: `${protocol.name}/${group}`,
        options,
        onRestart: () => this.releaseSoon(),
        ...(codec !== undefined && { codec })
      }).pipe(Effect.updateService(Transport, (transport) => gate.through(transport)))
      this.actor.subscribe((event) => this.onEvent(event))
      gate.open()
      yield* Effect.forkScoped(Effect.catch(this.actor.failed, ({ message }) => Effect.sync(() => this.fail(message))))
    })
  }

  /** The protocol, with a count of which messages have had their turn. */
  private counting(
    protocol: Protocol.Protocol<State, any, any, any, any, Options>
  ): Protocol.Protocol<State, any, any, any, any, Options> {
    return {
      ...protocol,
      onCommand: (state, command: Command, act) => {
        if (command._tag === "Multicast") this.pending--
        return protocol.onCommand(state, command, act)
      }
    }
  }

  private makeService(): Multicast.Service<G> {
    const { guarantees, reading } = this.multicasting
    const view = (): Protocol.View | undefined => reading.view(this.actor.state())
    const self = (): string => this.actor.node
    return {
      get self() {
        return self()
      },
      guarantees,
      counters: this.counters,
      view: Effect.suspend(() => {
        const now = view()
        return now === undefined ? this.nextView : Effect.succeed(now)
      }),
      views: Stream.callback<Protocol.View>(
        (queue) =>
          Effect.andThen(
            this.onView((next) => void Queue.offerUnsafe(queue, next)),
            Effect.sync(() => {
              const now = view()
              if (now !== undefined) Queue.offerUnsafe(queue, now)
            })
          ),
        { bufferSize: 1024, strategy: "sliding" }
      ),
      onView: (listener) => this.onView(listener),
      open: (channel, deliver, transfer) => this.open(channel, deliver, transfer)
    }
  }

  // ----------------------------------------------------------------------------------------------------------------- views

  private onView(listener: (view: Protocol.View) => void): Effect.Effect<void, never, Scope.Scope> {
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => {
          const subscription = (view: Protocol.View): void => listener(view)
          this.viewListeners.add(subscription)
          return subscription
        }),
        (subscription) => Effect.sync(() => this.viewListeners.delete(subscription))
      )
    )
  }

  private get nextView(): Effect.Effect<Protocol.View> {
    return Effect.callback<Protocol.View>((resume) => {
      const listener = (view: Protocol.View): void => {
        this.viewListeners.delete(listener)
        resume(Effect.succeed(view))
      }
      this.viewListeners.add(listener)
      return Effect.sync(() => this.viewListeners.delete(listener))
    })
  }

  // ---------------------------------------------------------------------------------------------------------------- topics

  private open<Message>(
    channel: Channel.Channel<Message>,
    deliver: ((delivery: Multicast.Delivery<Message>) => void) | undefined,
    transfer: Multicast.Transfer<any> | undefined
  ): Effect.Effect<Multicast.Topic<Message>, ChannelInUse, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const read = yield* backlog<Multicast.Delivery<Message>>((count) => this.lagBy(-count))
      const wait = (delivery: Multicast.Delivery<Message>): void => {
        read.offer(delivery)
        this.lagBy(1)
      }
      yield* Effect.acquireRelease(
        Effect.suspend(() => {
          const entry = this.topics.open(channel, deliver ?? wait, transfer)
          if (entry === undefined)
            return Effect.fail(new ChannelInUse({ node: this.actor.node, channel: channel.name }))
          // On the next turn: the handler may use what is returned here.
          this.seams.run(
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => this.topics.drain(entry))
            )
          )
          return Effect.succeed(entry)
        }),
        (entry) =>
          Effect.sync(() => {
            this.topics.close(entry)
            this.lagBy(-read.end())
          })
      )
      return {
        send: (message) => this.send(channel, message),
        trySend: (message) => this.trySend(channel, message),
        deliveries: read.stream
      }
    })
  }

  private lagBy(change: number): void {
    this.lag += change
    if (this.lag > this.maxBacklog) {
      return this.fail(`a reader of its deliveries is ${this.lag} messages behind, more than maxBacklog`)
    }
    const far = Math.abs(this.lag - this.lagTold) >= lagStep
    if (this.multicasting.hasFlowControl !== true || !(far || (this.lag === 0 && this.lagTold > 0))) return
    this.lagTold = this.lag
    this.tell({ _tag: "Lag", count: this.lag })
  }

  // --------------------------------------------------------------------------------------------------------------- sending

  private send<Message>(
    channel: Channel.Channel<Message>,
    message: Message
  ): Effect.Effect<void, Multicast.SendFailed> {
    return Effect.suspend(() => {
      const envelope = new Envelope(channel, message)
      const wrong = this.refusal(envelope)
      if (wrong !== undefined) return this.sendFailed(wrong)
      if (this.waiting.size > 0 || this.room() <= 0) return this.wait(envelope)
      this.submit(envelope)
      return Effect.void
    })
  }

  private trySend<Message>(channel: Channel.Channel<Message>, message: Message): boolean {
    if (this.waiting.size > 0 || this.failed !== undefined || this.room() <= 0) return false
    const envelope = new Envelope(channel, message)
    if (this.refusal(envelope) !== undefined) return false
    this.submit(envelope)
    return true
  }

  private wait(envelope: Envelope): Effect.Effect<void, Multicast.SendFailed> {
    return Effect.callback<void, Multicast.SendFailed>((resume) => {
      const waiting = { envelope, resume }
      this.waiting.add(waiting)
      // There may be room again by now.
      this.release()
      return Effect.sync(() => this.waiting.delete(waiting))
    })
  }

  /** Why this message can't be sent at all. */
  private refusal(envelope: Envelope): string | undefined {
    if (this.failed !== undefined) return this.failed
    if (this.encodes === false) return undefined
    // Until it is known whether messages become bytes, another envelope is tried.
    const tried = this.encodes === undefined ? envelope.twin() : envelope
    try {
      const { length } = tried.bytes
      if (length <= this.maxMessageBytes) return undefined
      return `the message has ${length} bytes, more than maxMessageBytes (${this.maxMessageBytes})`
    } catch (error) {
      return `the codec of topic "${envelope.topic}" refuses the message: ${String(error)}`
    }
  }

  private room(): number {
    const self = this.actor.self as Protocol.Self<Options>
    return Math.min(maxPending, this.multicasting.reading.room(this.actor.state(), self)) - this.pending
  }

  private submit(envelope: Envelope): void {
    const { counters } = this.actor
    const before = counters.sent
    this.pending++
    this.counters.sent++
    this.tell({ _tag: "Multicast", payload: envelope })
    // It may have been sent to nobody yet: then a later one tells.
    if (envelope.isEncoded) this.encodes = true
    else if (this.encodes === undefined && counters.sent > before && this.pending === 0) this.encodes = false
  }

  /** Sends of those who wait what there is room for. */
  private release(): void {
    for (const waiting of this.waiting) {
      if (this.room() <= 0) return this.pending > 0 ? this.releaseSoon() : undefined
      this.waiting.delete(waiting)
      this.submit(waiting.envelope)
      waiting.resume(Effect.void)
    }
  }

  /** Once what the actor is at is done. */
  private releaseSoon(): void {
    if (this.releasing) return
    this.releasing = true
    const release = Effect.sync(() => {
      this.releasing = false
      this.release()
    })
    this.seams.run(Effect.andThen(Effect.yieldNow, release))
  }

  private tell(command: Command): void {
    if (this.failed === undefined) this.actor.tell(command)
  }

  // ---------------------------------------------------------------------------------------------------------------- events

  private onEvent(event: Event): void {
    if (this.failed !== undefined) return
    switch (event._tag) {
      case "Delivered":
        return this.topics.dispatch(event)
      case "Room":
        return this.release()
      case "Viewed":
        for (const listener of this.viewListeners) {
          try {
            listener(event.view)
          } catch (defect) {
            this.log("a listener to views threw", Cause.die(defect))
          }
        }
        return
      case "Snapshot":
        return this.tell({ _tag: "Snapshot", view: event.view, state: this.topics.snapshot() })
      case "Install":
        return this.topics.install(event.state)
      case "Failed":
        return this.fail(event.reason)
    }
  }

  /** This node takes no part any more. */
  fail(reason: string): void {
    if (this.failed !== undefined) return
    this.failed = reason
    for (const { resume } of this.waiting) resume(this.sendFailed(reason))
    this.waiting.clear()
    this.seams.run(this.seams.leave)
  }

  private sendFailed(reason: string): Effect.Effect<never, Multicast.SendFailed> {
    return Effect.fail(new Multicast.SendFailed({ node: this.actor.node, reason }))
  }

  private log(what: string, cause: unknown): void {
    const { name, node } = this.actor
    this.seams.run(Effect.logError(what, cause ?? "").pipe(Effect.annotateLogs({ node, actor: name })))
  }
}
