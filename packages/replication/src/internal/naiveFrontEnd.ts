/**
 * The client's side of naive replication: its replica answers at once, but for a session, which may have to wait for what it
 * has seen.
 */
import type { Actor } from "@troupe/actor"
import { VersionVector } from "@troupe/clocks"
import { Effect, Stream } from "effect"
import type * as Machine from "../Machine.ts"
import type { Command, Event, State } from "../Naive.ts"
import { Behind, type Position, type Positioned, type Replicated, type Status, Unavailable } from "../Replicated.ts"

type Answered = Extract<Event, { readonly _tag: "Answered" }>

/** So many requests of sessions wait; one more is refused. */
const maxWaiting = 16_384

export class FrontEnd {
  private readonly machine: Machine.Any
  private readonly actor: Actor.Actor<State, Command, Event>
  private readonly open = new Map<number, (answered: Answered) => void>()
  private asked = 0
  /** Each looks, after a step, whether what it waits for is held. */
  private readonly waiting = new Set<() => void>()

  constructor(machine: Machine.Any, actor: Actor.Actor<State, Command, Event>) {
    this.machine = machine
    this.actor = actor
    actor.subscribe(this.hear)
  }

  readonly service = (): Replicated<any, any> => ({
    self: this.actor.node,
    invoke: (request) => Effect.map(this.ask(request, VersionVector.empty), ({ response }) => response),
    status: Effect.sync(() => this.status()),
    changes: Stream.concat(
      Stream.sync(() => this.status()),
      Stream.map(this.actor.events, () => this.status())
    ),
    positions: {
      of: this.actor.name,
      invoke: (request, after, patienceMillis) =>
        Effect.andThen(this.reach(after, patienceMillis), this.askAfter(request, after))
    }
  })

  private readonly hear = (event: Event): void => {
    if (event._tag === "Answered") {
      this.open.get(event.id)?.(event)
      this.open.delete(event.id)
    }
    for (const look of this.waiting) look()
  }

  private ask(request: unknown, after: Position): Effect.Effect<Answered> {
    return Effect.callback((resume) => {
      const id = ++this.asked
      this.open.set(id, (answered) => resume(Effect.succeed(answered)))
      this.actor.tell({ _tag: "Ask", id, request, after })
      return Effect.sync(() => void this.open.delete(id))
    })
  }

  /** Of an update, the position is the place among this node's own. */
  private askAfter(request: unknown, after: Position): Effect.Effect<Positioned<any>> {
    return Effect.map(this.ask(request, after), ({ held, response }) => ({
      response,
      at: this.machine.isRead(request) ? held : held.filter(([source]) => source === this.actor.node)
    }))
  }

  private reach(after: Position, patienceMillis: number): Effect.Effect<void, Behind | Unavailable> {
    return Effect.suspend((): Effect.Effect<void, Behind | Unavailable> => {
      const { node } = this.actor
      if (this.holds(after)) return Effect.void
      if (this.waiting.size >= maxWaiting) return Effect.fail(new Unavailable({ node, reason: "overloaded" }))
      return Effect.timeoutOrElse(this.untilHeld(after), {
        duration: patienceMillis,
        orElse: () => Effect.fail(new Behind({ node, needed: after, held: this.actor.state().held }))
      })
    })
  }

  private untilHeld(position: Position): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const look = (): void => {
        if (!this.holds(position)) return
        this.waiting.delete(look)
        resume(Effect.void)
      }
      this.waiting.add(look)
      // It may have come since.
      look()
      return Effect.sync(() => void this.waiting.delete(look))
    })
  }

  private holds(position: Position): boolean {
    return VersionVector.descends(this.actor.state().held, position)
  }

  private status(): Status {
    const { node, self } = this.actor
    const { applied } = this.actor.state()
    return { role: "primary", view: 0, primary: node, members: self.nodes, applied, committed: applied }
  }
}
