/** A system that is watched: its actors count and are timed, and chains have spans. One that is not has none of this. */
import { Context, Tracer } from "effect"
import type { Behavior, SpawnOptions, Table } from "../../Behavior.ts"
import type { Options } from "../../Observed.ts"
import type { Cell } from "../system/Cell.ts"
import type { System } from "../system/System.ts"
import { counted, type Handle, timed, tracedEffect, tracedPlain } from "./handlers.ts"
import { inSpan } from "./here.ts"
import { ObservedCell } from "./ObservedCell.ts"
import { nameOf, Spans } from "./Spans.ts"
import { TracedCell } from "./TracedCell.ts"

export class Observation {
  readonly spans: Spans | undefined
  private readonly times: boolean
  private readonly behaviors = new WeakMap<Behavior<any, any>, Behavior<any, any>>()
  private readonly contexts = new WeakMap<Context.Context<never>, Context.Context<never>>()
  private readonly tables = new WeakMap<Table, Table>()
  /** What its actors understand: so many as there are in the program. */
  readonly messages = new Set<string>()
  onMessages: (name: string) => void = () => {}

  constructor(system: System, { sample = 0, times = false }: Options) {
    this.spans = sample > 0 ? new Spans(system, sample) : undefined
    this.times = times
  }

  make(system: System, parent: Cell, behavior: Behavior<any, any>, options: SpawnOptions): Cell {
    let observed = this.behaviors.get(behavior)
    if (observed === undefined) {
      observed = this.behaviorOf(system, behavior)
      this.behaviors.set(behavior, observed)
    }
    const { spans } = this
    return spans === undefined
      ? new ObservedCell(system, parent, observed, options)
      : new TracedCell(system, parent, observed, options, spans)
  }

  /** An actor outlives the span in which it was spawned: what it asks and tells is no part of that. */
  private behaviorOf(system: System, behavior: Behavior<any, any>): Behavior<any, any> {
    const context = this.contextOf(behavior.context ?? system.context)
    const observed = { ...behavior, table: this.tableOf(system, behavior), context }
    if (this.spans === undefined) return observed
    return { ...observed, init: (self) => inSpan(undefined, () => behavior.init(self)) }
  }

  private contextOf(given: Context.Context<never>): Context.Context<never> {
    let context = this.contexts.get(given)
    if (context === undefined) {
      context = Context.omit(Tracer.ParentSpan)(given) as Context.Context<never>
      this.contexts.set(given, context)
    }
    return context
  }

  private tableOf(system: System, behavior: Behavior<any, any>): Table {
    const known = this.tables.get(behavior.table)
    if (known !== undefined) return known
    const { name } = behavior.messages
    if (!this.messages.has(name)) {
      this.messages.add(name)
      this.onMessages(name)
    }
    const table: Record<string, Table[string]> = Object.create(null)
    for (const [tag, { handle, isAsk }] of Object.entries(behavior.table)) {
      table[tag] = { handle: this.handlerOf(system, behavior, tag, handle), isAsk }
    }
    this.tables.set(behavior.table, table)
    return table
  }

  private handlerOf(
    system: System,
    { kind, messages: { name } }: Behavior<any, any>,
    tag: string,
    handle: Handle
  ): Handle {
    const { spans, times } = this
    const inTime = times ? timed(system, kind, name, tag, handle) : handle
    if (spans === undefined) return counted(inTime)
    const traced = kind === "plain" ? tracedPlain : tracedEffect
    return traced(spans, nameOf(name, tag), inTime) as Handle
  }
}
