import { Unmatched } from "./internal/Unmatched.ts"
import * as Trace from "./Trace.ts"
import { VectorClocks } from "./VectorClocks.ts"

/**
 * One trace of a run of which each process recorded its own nodes. Messages are matched across them as a recorder does,
 * events are put in an order in which causes come first, by their times where there is a choice, and clocks are computed
 * anew. A message that would have been received before it was sent, as a duplicate of one that is equal to it may seem
 * to be, is left without an id.
 */
export const merge = (title: string, traces: ReadonlyArray<Trace.Trace>): Trace.Trace => {
  const parts = match(renumber(traces))
  const nodes = new Set(traces.flatMap(({ header }) => header.nodes))
  const dropped = traces.reduce((sum, { header }) => sum + (header.dropped ?? 0), 0)
  return {
    header: Trace.header({
      title,
      source: traces[0]?.header.source ?? "driver",
      nodes: [...nodes],
      ...(dropped === 0 ? {} : { dropped })
    }),
    events: inOrder(parts)
  }
}

type Events = ReadonlyArray<Trace.Event>

/** Each process counted its messages from 1. */
const renumber = (traces: ReadonlyArray<Trace.Trace>): ReadonlyArray<Events> => {
  let next = 1
  return traces.map(({ events }) => {
    const ids = new Map<number, number>()
    const renamed = (id: number): number => {
      let to = ids.get(id)
      if (to === undefined) ids.set(id, (to = next++))
      return to
    }
    return events.map((event) => rename(event, renamed))
  })
}

const rename = (event: Trace.Event, of: (id: number) => number): Trace.Event => {
  switch (event._tag) {
    case "Lost":
    case "Sent":
      return { ...event, id: of(event.id) }
    case "Received":
      return event.id === undefined ? event : { ...event, id: of(event.id) }
    case "Step": {
      const { input } = event
      return {
        ...event,
        input: input._tag === "Message" && input.id !== undefined ? { ...input, id: of(input.id) } : input,
        actions: event.actions.map((action) => (action._tag === "Send" ? { ...action, id: of(action.id) } : action))
      }
    }
    default:
      return event
  }
}

const channelOf = (event: Trace.Event): string =>
  event._tag === "Step" ? event.actor : event._tag === "Sent" || event._tag === "Received" ? event.channel : ""

const match = (parts: ReadonlyArray<Events>): ReadonlyArray<Events> => {
  const unmatched = new Unmatched(Infinity)
  const received = new Set(parts.flat().flatMap((event) => Trace.receipt(event)?.id ?? []))
  for (const event of parts.flat()) {
    for (const { id, message, to } of Trace.sends(event)) {
      if (!received.has(id)) unmatched.add(channelOf(event), (event as Trace.NodeEvent).node, to, { id, message })
    }
  }
  return parts.map((events) =>
    events.map((event) => {
      const receipt = Trace.receipt(event)
      if (receipt === undefined || receipt.id !== undefined) return event
      const { node } = event as Trace.NodeEvent
      return identified(event, unmatched.take(channelOf(event), receipt.from, node, receipt.message)?.id)
    })
  )
}

const identified = (event: Trace.Event, id: number | undefined): Trace.Event => {
  if (event._tag === "Received") {
    const { id: _, ...rest } = event
    return id === undefined ? rest : { ...rest, id }
  }
  if (event._tag !== "Step" || event.input._tag !== "Message") return event
  const { id: _, ...input } = event.input
  return { ...event, input: id === undefined ? input : { ...input, id } }
}

/** Of the parts whose next event waits for no send, the one with the earliest goes on. */
const inOrder = (parts: ReadonlyArray<Events>): Events => {
  const clocks = new VectorClocks()
  const sent = new Map<number, Trace.VectorClock>()
  const toCome = new Set(parts.flat().flatMap((event) => Trace.sends(event).map(({ id }) => id)))
  const at = parts.map(() => 0)
  const events: Array<Trace.Event> = []
  const waits = (event: Trace.Event): boolean => toCome.has(Trace.receipt(event)?.id ?? -1)
  for (;;) {
    const open = parts.map((_, part) => part).filter((part) => at[part]! < parts[part]!.length)
    if (open.length === 0) return events
    const free = open.filter((part) => !waits(parts[part]![at[part]!]!))
    const timeOf = (part: number): number => parts[part]![at[part]!]!.atMillis ?? 0
    const chosen = (free.length > 0 ? free : open).reduce((best, part) => (timeOf(part) < timeOf(best) ? part : best))
    const next = parts[chosen]![at[chosen]!++]!
    const event = free.length > 0 ? next : identified(next, undefined)
    const id = Trace.receipt(event)?.id
    const stamped =
      "node" in event
        ? { ...event, clock: clocks.tick(event.node, id === undefined ? undefined : sent.get(id)) }
        : event
    for (const { id } of Trace.sends(stamped)) {
      toCome.delete(id)
      sent.set(id, (stamped as Trace.NodeEvent).clock)
    }
    events.push(stamped)
  }
}
