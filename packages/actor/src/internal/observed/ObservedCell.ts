import { Effect, type Fiber, Tracer } from "effect"
import type { AskOptions } from "../../ActorRef.ts"
import type { Behavior, SpawnOptions } from "../../Behavior.ts"
import { Cell } from "../system/Cell.ts"
import type { Rare } from "../system/Rare.ts"
import type { System } from "../system/System.ts"
import type { Spans } from "./Spans.ts"

/** An actor of a system that is watched. */
export class ObservedCell extends Cell {
  /** Messages that a handler was given. */
  processed = 0
  /** While the handler of a question runs: what it begins has this for a parent. */
  span: Tracer.AnySpan | undefined = undefined
  private readonly spans: Spans | undefined
  private busyMillis = 0
  /** When its turn began, or the Effect that is under way; less than 0: it rests. */
  private sinceMillis = -1

  constructor(
    system: System,
    parent: Cell,
    behavior: Behavior<any, any>,
    options: SpawnOptions,
    spans: Spans | undefined
  ) {
    super(system, parent, behavior, options)
    this.spans = spans
  }

  /** For how long handlers have run, or their Effects were under way. */
  get busy(): number {
    return this.sinceMillis < 0 ? this.busyMillis : this.busyMillis + this.system.monotonicMillis() - this.sinceMillis
  }

  override run(limit: number): number {
    if (this.status === "ready") this.sinceMillis = this.system.monotonicMillis()
    const taken = super.run(limit)
    if (this.status !== "busy") this.rest()
    return taken
  }

  override afterTurn(rare: Rare): void {
    super.afterTurn(rare)
    if (rare.fiber === undefined) this.rest()
  }

  private rest(): void {
    if (this.sinceMillis < 0) return
    this.busyMillis += this.system.monotonicMillis() - this.sinceMillis
    this.sinceMillis = -1
  }

  override runFork<A>(effect: Effect.Effect<A, unknown, any>): Fiber.Fiber<A, unknown> {
    const { span } = this
    return super.runFork(span === undefined ? effect : Effect.provideService(effect, Tracer.ParentSpan, span))
  }

  override ask(message: any, options?: AskOptions): Effect.Effect<any, any> {
    const { spans } = this
    if (spans === undefined) return super.ask(message, options)
    return spans.client(this.behavior.messages.name, this.path, message, (span) =>
      this.put(spans.question(message, this, span), options)
    )
  }
}
