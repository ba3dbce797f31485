/** Which events of a trace are in a picture. */
import type * as SpaceTime from "../SpaceTime.ts"
import { kind } from "../Label.ts"
import * as Trace from "../Trace.ts"

export interface Selection {
  readonly events: ReadonlyArray<Trace.Event>
  /** How many are left out before them, and after them. */
  readonly earlier: number
  readonly later: number
}

/** Up to the first broken property, where there is one: what comes after is not its cause. Else from the beginning. */
export const select = (trace: Trace.Trace, { hide = [], limit = 500 }: SpaceTime.Options): Selection => {
  const dropped = trace.header.dropped ?? 0
  const events = hide.length === 0 ? trace.events : without(trace.events, new Set(hide))
  const bound = Math.max(1, limit)
  if (events.length <= bound) return { events, earlier: dropped, later: 0 }
  const broken = events.findIndex((event) => event._tag === "Note" && event.broken)
  const end = broken < 0 ? bound : Math.max(bound, broken + 1)
  return { events: events.slice(end - bound, end), earlier: dropped + end - bound, later: events.length - end }
}

/** Without messages of these kinds, and without the steps that did nothing but send and receive them. */
const without = (events: ReadonlyArray<Trace.Event>, hidden: ReadonlySet<string>): ReadonlyArray<Trace.Event> => {
  const isHidden = (message: unknown): boolean => hidden.has(kind(message))
  const shows = (action: Trace.Action): boolean =>
    action._tag === "Emit" || (action._tag === "Send" && !isHidden(action.message))
  const needed = new Set<number>()
  const isIdle = (event: Trace.Event): boolean => {
    if (Trace.sends(event).some(({ id }) => needed.has(id))) return false
    if (event._tag === "Sent" || event._tag === "Received") return isHidden(event.message)
    if (event._tag !== "Step" || event.failure !== undefined || event.actions.some(shows)) return false
    const { input } = event
    if (input._tag === "Message") return isHidden(input.message)
    return input._tag === "Timeout" && event.actions.some(({ _tag }) => _tag === "Send")
  }
  // From the end: what a step that stays has received stays too, with the step that sent it.
  const rest: Array<Trace.Event> = []
  for (const event of events.toReversed()) {
    if (isIdle(event)) continue
    rest.push(event)
    const id = Trace.receipt(event)?.id
    if (id !== undefined) needed.add(id)
  }
  const gone = new Set(
    events.flatMap(Trace.sends).flatMap(({ id, message }) => (isHidden(message) && !needed.has(id) ? [id] : []))
  )
  return rest.toReversed().flatMap((event): ReadonlyArray<Trace.Event> => {
    if (event._tag === "Lost") return gone.has(event.id) ? [] : [event]
    if (event._tag !== "Step") return [event]
    return [{ ...event, actions: event.actions.filter((action) => action._tag !== "Send" || !gone.has(action.id)) }]
  })
}
