/** Spans as tests see them. */
import { ActorSystem, Observed } from "@troupe/actor"
import { Cause, Effect, Exit, Layer, Option, Random, Tracer } from "effect"

interface Recorded {
  readonly spans: Array<Tracer.NativeSpan>
  readonly tracer: Tracer.Tracer
}

export const recorder = (): Recorded => {
  const spans: Array<Tracer.NativeSpan> = []
  const span: Tracer.Tracer["span"] = (options) => {
    const made = new Tracer.NativeSpan(options)
    spans.push(made)
    return made
  }
  return { spans, tracer: Tracer.make({ span }) }
}

/** Each span below the one that is its parent: "client shop Buy > server shop Buy". */
export const tree = (spans: ReadonlyArray<Tracer.Span>): ReadonlyArray<string> =>
  spans.map((span) => {
    const parent = Option.getOrUndefined(span.parent)
    const above = parent === undefined ? undefined : spans.find(({ spanId }) => spanId === parent.spanId)
    const label = `${span.kind} ${span.name} at ${String(span.attributes.get("actor") ?? "-")}`
    return `${above === undefined ? "" : `${spans.indexOf(above)} > `}${label}`
  })

/** What came of the spans that have ended; "open" of the others. */
export const ends = (spans: ReadonlyArray<Tracer.Span>): ReadonlyArray<string> =>
  spans.map(({ status }) => (status._tag === "Started" ? "open" : status.exit._tag))

export const watched = <A, E>(
  options: Observed.Options | undefined,
  program: (spans: Array<Tracer.NativeSpan>) => Effect.Effect<A, E, ActorSystem.ActorSystem>
): Effect.Effect<A, E> => {
  const { spans, tracer } = recorder()
  const observed = options === undefined ? Layer.empty : Observed.layer(options)
  return program(spans).pipe(
    Effect.provide(Layer.provide(ActorSystem.layer(), observed)),
    Effect.withTracer(tracer),
    Random.withSeed("spans")
  )
}

export const causeOf = ({ status }: Tracer.Span): string =>
  status._tag === "Ended" && Exit.isFailure(status.exit) ? String(Cause.squash(status.exit.cause)) : status._tag
