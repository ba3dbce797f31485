/** What the cases of the conformance suites are made of. */
import { type Duration, Effect, Exit, Schema, Scope, Stream } from "effect"
import * as Channel from "../Channel.ts"
import * as Codec from "../Codec.ts"
import type { NodeId } from "../NodeId.ts"
import type { LinkEvent, Transport } from "../Transport.ts"

/** What a case asks of a network. */
export interface NetworkOptions {
  readonly nodes: ReadonlyArray<NodeId>
  /** How many messages wait for a channel that is not open. */
  readonly holdMessages: number
}

export interface Network {
  /** One of the nodes joins, until the scope closes. It may join again after that. */
  readonly join: (node: NodeId) => Effect.Effect<Transport["Service"], unknown, Scope.Scope>
  /** How long a case waits for what must happen. Default: 10 seconds. */
  readonly patience?: Duration.Input
}

/** Makes a network that no node has joined yet. */
export type TransportMaker = (options: NetworkOptions) => Effect.Effect<Network, unknown, Scope.Scope>

/** A rule of `Transport`, and how to find out whether a transport keeps it. */
export interface Case {
  readonly name: string
  readonly run: (make: TransportMaker) => Effect.Effect<void, unknown, Scope.Scope>
}

export class RuleBroken extends Schema.TaggedError<RuleBroken>()("RuleBroken", {
  rule: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The transport breaks the rule that ${this.rule}: ${this.reason}`
  }
}

/** What a case works with. */
export interface Bench {
  readonly join: Network["join"]
  /** The links of a node from now on. */
  readonly watch: (node: Transport["Service"]) => Effect.Effect<Log<LinkEvent>, never, Scope.Scope>
  /** Waits until what a log holds is enough. */
  readonly until: <A>(
    log: Log<A>,
    what: string,
    enough: (items: ReadonlyArray<A>) => boolean
  ) => Effect.Effect<ReadonlyArray<A>, RuleBroken>
  /** The same, while `send` is done again and again: what a transport that loses messages is asked with. */
  readonly again: <A>(
    send: () => void,
    log: Log<A>,
    what: string,
    enough: (items: ReadonlyArray<A>) => boolean
  ) => Effect.Effect<ReadonlyArray<A>, RuleBroken>
  readonly demand: (holds: boolean, otherwise: string) => Effect.Effect<void, RuleBroken>
}

/** What happened so far, and who waits for more of it. */
export class Log<A> {
  readonly items: Array<A> = []
  private waiting: Array<() => void> = []

  readonly add = (item: A): void => {
    this.items.push(item)
    this.waiting.forEach((look) => look())
  }

  until(enough: (items: ReadonlyArray<A>) => boolean): Effect.Effect<ReadonlyArray<A>> {
    return Effect.callback((resume) => {
      const look = (): void => {
        if (!enough(this.items)) return
        stop()
        resume(Effect.succeed(this.items))
      }
      const stop = (): void => {
        this.waiting = this.waiting.filter((other) => other !== look)
      }
      this.waiting.push(look)
      look()
      return Effect.sync(stop)
    })
  }
}

export const holdMessages = 100

/** How often a message is sent again that may have been lost. */
const againMillis = 5

export const rule = (
  name: string,
  nodes: ReadonlyArray<NodeId>,
  body: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>
): Case => ({
  name,
  run: (make) =>
    Effect.flatMap(make({ nodes, holdMessages }), ({ join, patience = "10 seconds" }) => {
      const until: Bench["until"] = (log, what, enough) =>
        Effect.flatMap(Effect.timeoutOption(log.until(enough), patience), (done) =>
          done._tag === "Some"
            ? Effect.succeed(done.value)
            : Effect.fail(new RuleBroken({ rule: name, reason: `waited in vain for ${what}; got ${show(log.items)}` }))
        )
      return body({
        join,
        watch,
        until,
        again: (send, log, what, enough) =>
          Effect.raceFirst(
            until(log, what, enough),
            Effect.forever(Effect.andThen(Effect.sync(send), Effect.sleep(againMillis)))
          ),
        demand: (holds, otherwise) =>
          holds ? Effect.void : Effect.fail(new RuleBroken({ rule: name, reason: otherwise }))
      })
    })
})

const watch: Bench["watch"] = (node) =>
  Effect.gen(function* () {
    const log = new Log<LinkEvent>()
    yield* Effect.forkScoped(
      Stream.runForEach(node.links, (event) => Effect.sync(() => log.add(event))),
      { startImmediately: true }
    )
    for (let turn = 0; turn < 3; turn++) yield* Effect.yieldNow
    return log
  })

export const show = (items: ReadonlyArray<unknown>): string =>
  `${items.length}: ${JSON.stringify(items.slice(0, 5))}${items.length > 5 ? "…" : ""}`

export const Numbers = Channel.make("numbers", Schema.Int)
export const Words = Channel.make("words", Schema.String)
export const Bytes = Channel.fromCodec("bytes", Codec.bytes)

export const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

export const same = <A>(a: ReadonlyArray<A>, b: ReadonlyArray<A>): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index])

export const ignore = (): void => {}

/** A scope that a case can close before its own. */
export const within = Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
