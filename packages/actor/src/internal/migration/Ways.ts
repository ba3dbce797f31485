/**
 * What comes to an actor through the places where it has been, in the order in which each of them sent it.
 *
 * A place that learns that the actor has moved on ends its way there by a mark, and takes the next way. What comes by the
 * next way waits until the mark has come through, so that nothing overtakes.
 */
import type { Entry, Way } from "./words.ts"

interface State {
  open: number
  held: Array<{ readonly way: number; readonly entry: Entry }>
}

export class Ways {
  private readonly states = new Map<string, State>()
  private readonly deliver: (entry: Entry, origin: string) => void
  private readonly onOpen: (origin: string, way: number) => void

  constructor(
    ways: ReadonlyArray<Way>,
    deliver: (entry: Entry, origin: string) => void,
    onOpen: (origin: string, way: number) => void
  ) {
    this.deliver = deliver
    this.onOpen = onOpen
    for (const { held, open, origin } of ways) this.states.set(origin, { open, held: [...held] })
  }

  private of(origin: string): State {
    let state = this.states.get(origin)
    if (state === undefined) this.states.set(origin, (state = { open: 0, held: [] }))
    return state
  }

  /** Whether it was too late: its way has ended. */
  take(origin: string, way: number, entry: Entry): boolean {
    const state = this.of(origin)
    if (entry._tag === "Skip") {
      if (way > state.open) this.open(origin, state, way)
    } else if (way < state.open) return true
    else if (way > state.open) state.held.push({ way, entry })
    else this.here(origin, state, entry)
    return false
  }

  /** All that is to come from there comes by this way, or a later one. */
  begin(origin: string, way: number): void {
    this.states.set(origin, { open: way, held: [] })
  }

  private here(origin: string, state: State, entry: Entry): void {
    if (entry._tag === "Mark") this.open(origin, state, state.open + 1)
    else this.deliver(entry, origin)
  }

  private open(origin: string, state: State, way: number): void {
    state.open = way
    this.onOpen(origin, way)
    const { held } = state
    state.held = []
    // Those of ways that were skipped come first: they are all that is left of them.
    for (const each of held.toSorted((a, b) => a.way - b.way)) {
      if (each.way > state.open) state.held.push(each)
      else if (each.way === state.open || each.entry._tag !== "Mark") this.here(origin, state, each.entry)
    }
  }

  get isHolding(): boolean {
    for (const { held } of this.states.values()) if (held.length > 0) return true
    return false
  }

  /** What holds it up will not come. */
  openAll(): void {
    for (const [origin, state] of this.states) {
      while (state.held.length > 0) this.open(origin, state, Math.min(...state.held.map(({ way }) => way)))
    }
  }

  get all(): ReadonlyArray<Way> {
    return [...this.states].map(([origin, { held, open }]) => ({ origin, open, held }))
  }
}
