/**
 * Explores what a model can do, and holds its properties against all of it.
 *
 * A counterexample of a search breadth first is as short as can be. What is kept of a state is a fingerprint of 64 bits: in
 * a search of n states, two of them are taken for one with a probability of at most n²/2⁶⁵, which is in the report.
 *
 * Source: C. Baier, J.-P. Katoen, "Principles of Model Checking", 2008; for the fingerprints Y. Yu, P. Manolios,
 * L. Lamport, "Model Checking TLA+ Specifications", CHARME 1999.
 */
import type { Trace } from "@troupe/trace"
import { Clock, Effect, Schema } from "effect"
import { NotPlain } from "./internal/Fingerprint.ts"
import { Graph, type Lasso } from "./internal/Liveness.ts"
import { Visible } from "./internal/PartialOrderCheck.ts"
import { type Ended, type Pass, replay, Search, type SearchOptions, Thrown } from "./internal/Search.ts"
import { refuseOptions, Refused } from "./internal/Refusal.ts"
import type { PathStep, Space } from "./internal/Space.ts"
import { Asymmetric } from "./internal/SymmetryGroup.ts"
import { Walk } from "./internal/Walk.ts"
import type { Checkable } from "./Model.ts"
import type { Kind, Property } from "./Property.ts"

export interface Options {
  /**
   * Default: breadth first, which finds the shortest counterexamples. Depth first needs less memory. Random walks look
   * around in what is too large for either, and never see all.
   */
  readonly search?: "breadth-first" | "depth-first" | "random"
  /** How many random walks. Default: 10,000. */
  readonly walks?: number
  /** Picks the random walks. Default: 1. */
  readonly seed?: number
  /** Ends the search when so many states have been seen. Default: 100 million. */
  readonly maxStates?: number
  /** Goes so many steps from a first state, no further. Default: no bound; of a random walk, 1,000. */
  readonly maxDepth?: number
  /** Ends the search when it takes more memory, roughly. Default: 2 GiB. */
  readonly maxBytes?: number
  /** Ends the search at the first property that is broken. Default: true. */
  readonly stopAtViolation?: boolean
  /** Whether what the model says is symmetric is explored once. Default: true. */
  readonly symmetry?: boolean
  /**
   * Whether orders of steps at different nodes that come to the same are left out, in a system of protocols: see
   * `System.visible`. It then leaves symmetry out of account, and a counterexample may be longer than the shortest. Random
   * walks leave nothing out. Default: false.
   */
  readonly partialOrder?: boolean
  /** Hears how far it is, some twenty times a second. */
  readonly onProgress?: (progress: Progress) => void
}

export interface Progress {
  readonly uniqueStates: number
  readonly generatedStates: number
  /** Steps from a first state. */
  readonly depth: number
  /** States that wait to be gone on from. */
  readonly waiting: number
  readonly bytes: number
  readonly seconds: number
}

export interface Report {
  readonly model: string
  readonly uniqueStates: number
  /** All that were come to, first states and known ones included. */
  readonly generatedStates: number
  /** The longest of the ways that were gone, in steps. */
  readonly depth: number
  /** Whether all states that there are have been seen. */
  readonly complete: boolean
  readonly ended: Ended
  readonly seconds: number
  /** That two states were taken for one: at most. */
  readonly collisionProbability: number
  readonly bytes: number
  readonly properties: ReadonlyArray<Verdict>
}

export interface Verdict {
  readonly name: string
  readonly kind: Kind
  /** `unknown`: the search ended before it could be said. */
  readonly verdict: "holds" | "violated" | "unknown"
  /** How it is broken. */
  readonly counterexample?: Path
  /** Of a `sometimes`: how it comes about. */
  readonly example?: Path
}

export interface Path {
  /** What happens, one line a step, from a first state on. */
  readonly steps: ReadonlyArray<string>
  /**
   * Of a run that never comes to where it should: the steps from this one on are repeated for ever. As many as there are
   * steps: nothing more need happen.
   */
  readonly loopFrom?: number
  readonly trace: Trace.Trace
}

/** A state or an action holds something that is no plain data. */
export class NotSerialisable extends Schema.TaggedError<NotSerialisable>()("NotSerialisable", {
  model: Schema.String,
  path: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    const where = this.path === "" ? "A state" : `What is at ${this.path} in a state`
    return `${this.model}: ${where} is ${this.what}. States are plain data: objects, arrays, strings, numbers, Sets, Maps.`
  }
}

/** The nodes of a group that a system calls interchangeable are not. */
export class NotSymmetric extends Schema.TaggedError<NotSymmetric>()("NotSymmetric", {
  model: Schema.String,
  nodes: Schema.Array(Schema.String),
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.model}: ${this.reason}. Mend the system's symmetry, or check it without.`
  }
}

/** A property sees of a node what the system does not call visible. */
export class NotVisible extends Schema.TaggedError<NotVisible>()("NotVisible", {
  model: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.model}: ${this.reason}. Let the system's \`visible\` show it, or check without partial order.`
  }
}

/** A property threw. */
export class PropertyFailed extends Schema.TaggedError<PropertyFailed>()("PropertyFailed", {
  model: Schema.String,
  property: Schema.String,
  cause: Schema.Defect(),
  steps: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.model}: the property "${this.property}" threw ${where(this.steps)}: ${String(this.cause)}`
  }
}

/** A function of the model threw, other than a property: what can happen next is not known. */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", {
  model: Schema.String,
  cause: Schema.Defect(),
  /** The way to the state from which it was to go on; none: before the first. */
  steps: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const when = this.steps.length === 0 ? "at first" : where(this.steps)
    return `${this.model}: what can happen ${when} is not known, since the model threw ${String(this.cause)}`
  }
}

const where = ([, ...after]: ReadonlyArray<string>): string =>
  after.length === 0 ? "in a first state" : `after ${after.join(", then ")}`

/** There is nothing to be checked, or no way to: no first state, no such node, a bound that is no number. */
export class NotCheckable extends Schema.TaggedError<NotCheckable>()("NotCheckable", {
  model: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.model}: ${this.reason}.`
  }
}

export type CheckError = ModelFailed | NotCheckable | NotSerialisable | NotSymmetric | NotVisible | PropertyFailed

/** Nothing left out: what runs come to depends on every step. */
const wholly = { symmetry: false, partialOrder: false, ignored: false }

/** States that are gone on from before others get a turn. */
const statesPerTurn = 2_000

/** A check under way: for who wants to see what there is when it is interrupted. */
export class Check<View> {
  private readonly space: Space<View>
  private readonly model: Checkable<View>
  private readonly begin: () => Pass<View>
  private search: Pass<View>
  /** A pass that left out too much is given up at so many states at the earliest. */
  private renewFrom = 0
  private readonly options: Options
  /** Of kinds that speak of runs. */
  private readonly temporal: ReadonlyArray<Property<View>>
  /** Laid out once all states are known to be few enough. */
  private graph: Graph<View> | undefined
  private readonly lassos = new Map<Property<View>, Lasso | undefined>()
  private nanos = 0

  /** Throws what a model or a property throws. `pass` is for `Parallel`. */
  constructor(
    model: Checkable<View>,
    options: Options = {},
    pass: (space: Space<View>, options: SearchOptions) => Pass<View> = (space, bounds) =>
      new Search(space, model.properties, bounds)
  ) {
    refuseOptions(options)
    this.model = model
    this.options = options
    this.temporal = model.properties.filter(({ kind }) => kind === "eventually" || kind === "infinitely often")
    this.space = model.space({
      symmetry: options.symmetry ?? true,
      partialOrder: options.partialOrder === true && options.search !== "random",
      ignored: model.properties.every(({ kind }) => kind === "always" || kind === "sometimes")
    })
    const bounds = {
      maxStates: options.maxStates ?? 100_000_000,
      maxBytes: options.maxBytes ?? 2 ** 31,
      stopAtViolation: options.stopAtViolation ?? true
    }
    const { maxDepth, search: order = "breadth-first", seed = 1, walks = 10_000 } = options
    this.begin = () =>
      order === "random"
        ? new Walk(this.space, model.properties, { ...bounds, maxDepth: maxDepth ?? 1_000, seed, walks })
        : pass(this.space, { ...bounds, maxDepth: maxDepth ?? Infinity, order })
    this.search = this.begin()
    if (this.search.visited.size === 0) throw new Refused("it has no first state")
  }

  /** Goes on for a while; whether there is more to do. */
  advance(nanos: number): boolean {
    this.nanos = nanos
    if (this.search.ended === undefined) {
      const isOpen = this.search.advance(statesPerTurn)
      return this.renew() || isOpen || this.hasRuns()
    }
    if (!this.hasRuns()) return false
    this.graph ??= new Graph(this.model.space(wholly), this.options.maxBytes ?? 2 ** 31)
    if (this.graph.advance(statesPerTurn)) return true
    if (this.graph.isCut) return false
    const property = this.temporal[this.lassos.size]!
    this.lassos.set(property, this.graph.lasso(property))
    return this.hasRuns()
  }

  /** Begins anew where too much was left out: soon, but not before it has got four times as far as the time before. */
  private renew(): boolean {
    const { ended, visited } = this.search
    if (ended === undefined ? visited.size < this.renewFrom : ended !== "all seen") return false
    if (this.space.renew?.(ended !== undefined) !== true) return false
    this.renewFrom = visited.size * 4
    this.search = this.begin()
    return true
  }

  /** Whether it is left to be seen what runs come to. */
  private hasRuns(): boolean {
    const isBroken =
      this.options.stopAtViolation !== false && [...this.lassos.values()].some((lasso) => lasso !== undefined)
    const isOpen = this.lassos.size < this.temporal.length
    return this.search.ended === "all seen" && this.graph?.isCut !== true && isOpen && !isBroken
  }

  /** So long it has been under way. */
  elapsed(nanos: number): void {
    this.nanos = nanos
  }

  progress(): Progress {
    const { search } = this
    return {
      uniqueStates: search.visited.size,
      generatedStates: search.generated,
      depth: search.depth,
      waiting: search.waiting,
      bytes: search.bytes,
      seconds: this.nanos / 1e9
    }
  }

  report(nanos = this.nanos): Report {
    this.nanos = nanos
    const { bytes, depth, generatedStates, seconds, uniqueStates } = this.progress()
    const ended = this.search.ended ?? "interrupted"
    return {
      model: this.model.name,
      uniqueStates,
      generatedStates,
      depth,
      complete: ended === "all seen" && this.graph?.isCut !== true,
      ended,
      seconds,
      collisionProbability: uniqueStates ** 2 / 2 ** 65,
      bytes,
      properties: this.model.properties.map((property) => this.verdict(property))
    }
  }

  private verdict(property: Property<View>): Verdict {
    const { kind, name } = property
    const decisive = this.search.decisive.get(property)
    if (decisive !== undefined) {
      const path = this.path(replay(this.space, this.search.visited, decisive), kind === "sometimes" ? undefined : name)
      return kind === "sometimes"
        ? { name, kind, verdict: "holds", example: path }
        : { name, kind, verdict: "violated", counterexample: path }
    }
    if (this.search.ended !== "all seen") return { name, kind, verdict: "unknown" }
    if (this.temporal.includes(property)) {
      if (!this.lassos.has(property)) return { name, kind, verdict: "unknown" }
      const lasso = this.lassos.get(property)
      if (lasso === undefined) return { name, kind, verdict: "holds" }
      const { loopFrom, steps } = lasso
      return {
        name,
        kind,
        verdict: "violated",
        counterexample: { ...this.path(steps, name, this.graph!.space), loopFrom }
      }
    }
    if (kind !== "sometimes") return { name, kind, verdict: "holds" }
    return { name, kind, verdict: "violated" }
  }

  private path(steps: ReadonlyArray<PathStep>, broken?: string, space = this.space): Path {
    const trace = space.trace(steps)
    return {
      steps: steps.map(({ happening }) => happening.describe()),
      trace:
        broken === undefined
          ? trace
          : { ...trace, events: [...trace.events, { _tag: "Note", text: `broken: ${broken}`, broken: true }] }
    }
  }

  /** Of what was thrown on the way, an error that says where. */
  explain(error: unknown): CheckError {
    const flaw = flawOf(this.model, error)
    if (flaw !== undefined) return flaw
    if (error instanceof Visible) return new NotVisible({ model: this.model.name, reason: error.reason })
    const model = this.model.name
    if (error instanceof Thrown) {
      const { cause, index, property } = error
      return new PropertyFailed({ model, property, cause, steps: this.stepsTo(index) })
    }
    return new ModelFailed({ model, cause: error, steps: this.stepsTo(this.graph?.parent ?? this.search.parent) })
  }

  /** Of the graph, once there is one: the search is over then. */
  private stepsTo(index: number): ReadonlyArray<string> {
    const { space, visited } = this.graph ?? { space: this.space, visited: this.search.visited }
    return replay(space, visited, index).map(({ happening }) => happening.describe())
  }
}

/** @internal What is wrong before there is a search: with what was asked, the model, or a property in a first state. */
export const refusalOf = ({ name: model, ...rest }: Checkable<any>, error: unknown): CheckError => {
  if (error instanceof Refused) return new NotCheckable({ model, reason: error.reason })
  if (error instanceof Thrown) {
    return new PropertyFailed({ model, property: error.property, cause: error.cause, steps: ["start"] })
  }
  return flawOf({ name: model, ...rest }, error) ?? new ModelFailed({ model, cause: error, steps: [] })
}

/** @internal What the model is to blame for. */
export const flawOf = ({ name: model }: Checkable<any>, error: unknown): NotSerialisable | NotSymmetric | undefined => {
  if (error instanceof NotPlain) return new NotSerialisable({ model, path: error.path, what: error.what })
  if (error instanceof Asymmetric) return new NotSymmetric({ model, nodes: error.nodes, reason: error.reason })
  return undefined
}

/** Explores the model. Others get a turn meanwhile; interruption ends it. */
export const check = <View>(model: Checkable<View>, options: Options = {}): Effect.Effect<Report, CheckError> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const start = clock.monotonicTimeNanosUnsafe()
    const made = yield* attempt(model, () => new Check(model, options))
    while (
      yield* attempt(
        model,
        () => made.advance(Number(clock.monotonicTimeNanosUnsafe() - start)),
        (error) => made.explain(error)
      )
    ) {
      options.onProgress?.(made.progress())
      yield* Effect.yieldNow
    }
    return made.report(Number(clock.monotonicTimeNanosUnsafe() - start))
  })

const attempt = <A>(
  model: Checkable<any>,
  run: () => A,
  explain: (error: unknown) => CheckError = (error) => refusalOf(model, error)
): Effect.Effect<A, CheckError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return Effect.fail(explain(error))
    }
  })
