/** A lease's protocol as an actor: its settings, and the register that it asks. What layers on leases share. */
import { Actor, type Protocol } from "@troupe/actor"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Duration, Effect, Option, Schema, type Scope } from "effect"
import * as Lease from "./Lease.ts"
import { InvalidOptions, Register } from "./Register.ts"

/** The same on all nodes. */
export interface Settings {
  /**
   * How long a holder that shows no sign is waited for: the longer, the later a crashed one is replaced; the shorter, the
   * sooner a slow link costs a live one its lease. Up to 1 hour. Default: 5 seconds.
   */
  readonly lease?: Duration.Input
  /**
   * By how much the rate of a clock may be off: 0.001 is 86 seconds a day. From 0 to below 1. Default: 0.001. Where a clock
   * is off by more, two nodes may hold the lease at once: tokens alone keep the earlier one from doing harm.
   */
  readonly driftBound?: number
  /** How long before its time ends a holder is told to stop. Less than the lease. Default: 2 % of the lease. */
  readonly stop?: Duration.Input
  /** Who serves the register, where the context has no `Register`. Default: the lowest node. */
  readonly host?: NodeId.NodeId
}

type Command = Lease.Answered

/**
 * Spawns the protocol of a lease under the channel `name`. The lease is in the register `name` of the `Register` in the
 * context; without one, a node of the transport serves it on that channel.
 */
export const spawn = Effect.fnUntraced(function* <
  State,
  Message,
  More,
  Event extends { readonly _tag: string },
  Timer extends string
>(
  protocol: Protocol.Protocol<State, Message, Command | More, Event, Timer, Lease.Options>,
  { name, onRestart, ...given }: Settings & { readonly name: string; readonly onRestart: () => void }
): Effect.fn.Return<Actor.Actor<State, Command | More, Event>, ChannelInUse | InvalidOptions, Transport | Scope.Scope> {
  const register = yield* Effect.serviceOption(Register)
  const options = yield* settings(given, (yield* Transport).nodes)
  if (Option.isNone(register)) return yield* Actor.spawn(protocol, { name, options, onRestart })
  const { connect, forget } = link(register.value, name)
  const actor = yield* Actor.spawn(protocol, {
    name,
    options: { ...options, register: undefined },
    onRestart: () => {
      forget()
      onRestart()
    }
  })
  yield* connect(actor)
  return actor
})

const settings = (
  given: Settings,
  nodes: ReadonlyArray<NodeId.NodeId>
): Effect.Effect<Lease.Options, InvalidOptions> => {
  const { driftBound = Lease.defaults.driftBound, host } = given
  const leaseMillis = millis(given.lease, Lease.defaults.leaseMillis)
  const stopMillis = millis(given.stop, leaseMillis / 50)
  const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
  if (!(leaseMillis >= 1 && leaseMillis <= Lease.longestMillis)) {
    return refuse("lease is no duration between 1 ms and 1 hour: for so long a crashed holder keeps everybody waiting")
  }
  if (!(driftBound >= 0 && driftBound < 1)) return refuse(`driftBound is ${driftBound}, and not from 0 to below 1`)
  if (!(stopMillis >= 0)) return refuse("stop is no duration from 0")
  if (nodes.length === 0) return refuse("there are no nodes")
  if (host !== undefined && !nodes.includes(host)) {
    return refuse(`the host of its register, ${host}, is none of the nodes ${nodes.join(", ")}`)
  }
  const register = { ...Lease.defaults.register!, ...(host === undefined ? {} : { host }) }
  const options = { leaseMillis, driftBound, stopMillis, pollMillis: leaseMillis / 8, register }
  return Lease.termMillis(options) > 0
    ? Effect.succeed(options)
    : refuse(
        `a lease of ${leaseMillis} ms leaves a holder no time, with driftBound ${driftBound} and stop ${stopMillis} ms`
      )
}

const millis = (given: Duration.Input | undefined, otherwise: number): number =>
  given === undefined
    ? otherwise
    : Option.getOrElse(Option.map(Duration.fromInput(given), Duration.toMillis), () => NaN)

/** Answers the questions of an actor from the register of this name. */
const link = (register: Register["Service"], name: string) => {
  /** How often the actor has started anew: what it asked before is nobody's question. */
  let life = 0

  const is = ({
    value,
    version
  }: {
    readonly version: number
    readonly value: unknown
  }): Effect.Effect<Lease.Answer> => {
    const seen = Lease.sighting(version, value)
    return seen === undefined
      ? unavailable(`Register "${name}" at version ${version} holds no lease: use another name.`)
      : Effect.succeed({ _tag: "Is", ...seen })
  }

  const answered = (request: Lease.Request): Effect.Effect<Lease.Answer> =>
    Effect.catch(
      request._tag === "Read"
        ? Effect.flatMap(register.read(name), is)
        : Effect.flatMap(
            register.compareAndSet(name, request.expected, encode(request.record)),
            (outcome): Effect.Effect<Lease.Answer> =>
              outcome._tag === "Set" ? Effect.succeed(outcome) : is(outcome.current)
          ),
      ({ message }) => unavailable(message)
    )

  const connect = Effect.fnUntraced(function* (
    actor: Pick<Actor.Actor<unknown, Lease.Answered, { readonly _tag: string }>, "tell" | "subscribe">
  ) {
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const scope = yield* Effect.scope
    actor.subscribe((event) => {
      if (!isAsk(event)) return
      const { call, request } = event
      const asked = life
      const tell = (answer: Lease.Answer): void => {
        if (asked === life) actor.tell({ _tag: "Answered", call, answer })
      }
      fork(Effect.forkIn(Effect.map(answered(request), tell), scope, { startImmediately: true }))
    })
  })

  return { connect, forget: (): void => void life++ }
}

const unavailable = (why: string): Effect.Effect<Lease.Answer> =>
  Effect.as(Effect.logWarning(why), { _tag: "Unavailable" } as const)

const isAsk = (event: { readonly _tag: string }): event is Extract<Lease.Event, { readonly _tag: "Ask" }> =>
  event._tag === "Ask"

const encode = Schema.encodeSync(Lease.Record)
