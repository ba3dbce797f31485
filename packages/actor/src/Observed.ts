/**
 * Watches a system of actors: what each of them does, how long it takes, and the way of a question from actor to actor. For a
 * system that is made while it is provided; one that is not costs nothing more for that there is this.
 *
 * A question has a span where it is asked, and its handler has one whose parent that is; what a handler that is an Effect
 * asks goes on from there, and so does what is handed on or answered later, on other nodes too. What is told within a span that
 * is traced has one where it is handled, at whichever node, below that. The `Tracer` is the one that the system was made with.
 *
 * @example
 * import { ActorSystem, Behavior, Messages, Observed } from "@troupe/actor"
 * import { Effect, Layer, Schema, Tracer } from "effect"
 *
 * const Echo = Messages.make("echo", { Say: Messages.ask({ text: Schema.String }, { reply: Schema.String }) })
 * const echo = Behavior.make(Echo, { init: () => null, on: { Say: (state, { text }) => ({ state, reply: text }) } })
 *
 * const spans: Array<string> = []
 * const tracer = Tracer.make({
 *   span: (options) => {
 *     spans.push(`${options.kind}: ${options.name}`)
 *     return new Tracer.NativeSpan(options)
 *   }
 * })
 *
 * const program = Effect.flatMap(ActorSystem.spawn(echo), (ref) => ref.ask({ _tag: "Say", text: "hello" }))
 * const system = Layer.provide(ActorSystem.layer(), Observed.layer({ sample: 1 }))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(system), Effect.withTracer(tracer)))
 * console.log(spans) // [ 'client: echo Say', 'server: echo Say' ]
 */
import { Context, Layer } from "effect"

export interface Options {
  /**
   * The share of questions that are traced, from 0 to 1, of those that are asked outside of any span. What is asked within a
   * span is traced if that is. Default: 0, and then no question has spans.
   */
  readonly sample?: number
  /** Whether it is measured how long each message takes: the metric `troupe_actors_processing_seconds`. Default: `false`. */
  readonly times?: boolean
}

export const Observed = Context.Reference<Options | undefined>("@troupe/actor/Observed", {
  defaultValue: () => undefined
})

export const layer = (options: Options = {}): Layer.Layer<never> => {
  const { sample = 0 } = options
  if (!(sample >= 0 && sample <= 1)) throw new RangeError(`sample is a share from 0 to 1, and ${sample} is none`)
  return Layer.succeed(Observed, options)
}
