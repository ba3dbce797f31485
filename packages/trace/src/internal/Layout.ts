/**
 * Where everything of a space–time diagram is, in lanes and rows: what all pictures share. Time goes down, a lane is a
 * node. A row has one event, or several of one moment at different nodes.
 */
import { kind as kindOf, label as labelOf } from "../Label.ts"
import type * as SpaceTime from "../SpaceTime.ts"
import * as Trace from "../Trace.ts"
import { select } from "./Selection.ts"

export interface Layout {
  readonly title: string
  readonly lanes: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
  readonly marks: ReadonlyArray<Mark>
  readonly arrows: ReadonlyArray<Arrow>
  readonly remarks: ReadonlyArray<Remark>
  readonly bands: ReadonlyArray<Band>
  readonly downs: ReadonlyArray<Down>
  /** Of the messages, in the order in which they are met. */
  readonly kinds: ReadonlyArray<string>
  readonly earlier: number
  readonly later: number
}

export interface Row {
  /** Since the beginning of the run, or of virtual time. */
  readonly atMillis: number | undefined
}

/** Something that befell a node. */
export interface Mark {
  readonly lane: number
  readonly row: number
  readonly kind: "start" | "command" | "message" | "timeout" | "view" | "send" | "crash" | "restart" | "stop" | "note"
  readonly text: string
  /** Of a message. */
  readonly messageKind: string | undefined
  readonly from: number | undefined
  /** What the node told its user. */
  readonly emits: ReadonlyArray<string>
  readonly failure: string | undefined
  readonly isHighlighted: boolean
}

interface Place {
  readonly lane: number
  readonly row: number
}

export interface Arrow {
  readonly kind: string
  readonly label: string
  /** None where the send is not in the picture. */
  readonly from: Place | undefined
  /** Where it is received, or lost, or would be, at the end. */
  readonly to: Place
  /** The lane that it comes from, which may not be known. */
  readonly sender: number | undefined
  readonly fate: "received" | "lost" | "under way"
  readonly reason: string | undefined
  readonly isHighlighted: boolean
}

/** A remark on the whole: a row of its own. */
export interface Remark {
  readonly row: number
  readonly text: string
  readonly kind: "broken" | "note" | "split" | "heal"
}

/** The network is split from a row to another. */
export interface Band {
  readonly fromRow: number
  readonly toRow: number
  readonly parts: ReadonlyArray<ReadonlyArray<number>>
}

/** A node is down from a row to another. */
export interface Down {
  readonly lane: number
  readonly fromRow: number
  readonly toRow: number
}

/** `shares`: events of one moment are in one row. */
export const layout = (trace: Trace.Trace, options: SpaceTime.Options, shares: boolean): Layout => {
  const { earlier, events, later } = select(trace, options)
  return new Builder(trace, events, options, shares).build(earlier, later)
}

/**
 * The message that mattered: the last that was received before the first property broke. None where no property broke,
 * or no message came before.
 */
export const mattered = (events: ReadonlyArray<Trace.Event>): number | undefined => {
  const broken = events.findIndex((event) => event._tag === "Note" && event.broken)
  for (let at = broken - 1; at >= 0; at--) {
    const id = Trace.receipt(events[at]!)?.id
    if (id !== undefined) return id
  }
  return undefined
}

interface Flight extends Place {
  readonly to: string
  readonly message: unknown
  landed: boolean
}

class Builder {
  private readonly events: ReadonlyArray<Trace.Event>
  private readonly trace: Trace.Trace
  private readonly label: (message: unknown) => string
  private readonly shares: boolean
  private readonly highlight: number | undefined
  private readonly lanes = new Map<string, number>()
  private readonly rows: Array<{ atMillis: number | undefined; readonly lanes: Set<number>; isStart: boolean }> = []
  private readonly marks: Array<Mark> = []
  private readonly arrows: Array<Arrow> = []
  private readonly remarks: Array<Remark> = []
  private readonly bands: Array<Band> = []
  private readonly downs: Array<Down> = []
  private readonly kinds = new Set<string>()
  private readonly flights = new Map<number, Flight>()
  private readonly downSince = new Map<number, number>()
  private split: { readonly row: number; readonly parts: ReadonlyArray<ReadonlyArray<number>> } | undefined
  private lossRow: { readonly row: number; readonly of: number } | undefined
  private readonly beginMillis: number

  constructor(trace: Trace.Trace, events: ReadonlyArray<Trace.Event>, options: SpaceTime.Options, shares: boolean) {
    this.trace = trace
    this.events = events
    this.label = options.label ?? labelOf
    this.shares = shares
    this.highlight = options.highlight ?? mattered(events)
    trace.header.nodes.forEach((node, lane) => this.lanes.set(node, lane))
    // Virtual time begins at 0; a driver's is the time of day.
    this.beginMillis = trace.header.source === "driver" ? (trace.events.find(hasTime)?.atMillis ?? 0) : 0
  }

  build(earlier: number, later: number): Layout {
    for (const event of this.events) this.place(event)
    const end = this.rows.length
    for (const [id, flight] of this.flights) {
      if (!flight.landed) this.arrow(id, flight, end, "under way", undefined)
    }
    for (const [lane, fromRow] of this.downSince) this.downs.push({ lane, fromRow, toRow: end })
    this.endSplit(end)
    const { arrows, bands, downs, marks, remarks, rows } = this
    return {
      title: this.trace.header.title,
      lanes: [...this.lanes.keys()],
      rows: rows.map(({ atMillis }) => ({ atMillis })),
      marks,
      arrows,
      remarks,
      bands,
      downs,
      kinds: [...this.kinds],
      earlier,
      later
    }
  }

  private place(event: Trace.Event): void {
    switch (event._tag) {
      case "Note":
        return this.note(event)
      case "Split":
        return this.placeSplit(event)
      case "Lost":
        return this.lose(event)
      default:
        return this.befall(event)
    }
  }

  private note(event: Extract<Trace.Event, { readonly _tag: "Note" }>): void {
    const [only, ...others] = event.nodes ?? []
    const lane = only === undefined || others.length > 0 || event.broken ? undefined : this.lanes.get(only)
    if (lane !== undefined) this.mark({ lane, row: this.row(event, lane), kind: "note", text: event.text })
    else {
      const where = event.nodes === undefined ? "" : `${event.nodes.join(" ")}: `
      const kind = event.broken ? "broken" : "note"
      this.remarks.push({ row: this.row(event), text: where + event.text, kind })
    }
  }

  private placeSplit(event: Extract<Trace.Event, { readonly _tag: "Split" }>): void {
    const row = this.row(event)
    this.endSplit(row)
    const isSplit = event.parts.length > 1
    const text = isSplit ? `split: ${event.parts.map((part) => part.join(" ")).join("  ╱  ")}` : "the split is healed"
    this.remarks.push({ row, text, kind: isSplit ? "split" : "heal" })
    if (isSplit) {
      this.split = { row, parts: event.parts.map((part) => part.flatMap((node) => this.lanes.get(node) ?? [])) }
    }
  }

  private endSplit(row: number): void {
    if (this.split !== undefined) this.bands.push({ fromRow: this.split.row, toRow: row, parts: this.split.parts })
    this.split = undefined
  }

  private lose(event: Extract<Trace.Event, { readonly _tag: "Lost" }>): void {
    const flight = this.flights.get(event.id)
    if (flight === undefined) return
    // What one step sent and is lost at once is lost in one row.
    const last = this.lossRow
    const isSame = last !== undefined && last.row === this.rows.length - 1 && last.of === flight.row * 1e6 + flight.lane
    const row = isSame ? last.row : this.row(event)
    this.lossRow = { row, of: flight.row * 1e6 + flight.lane }
    this.arrow(event.id, flight, row, "lost", event.reason)
  }

  private befall(event: Trace.NodeEvent): void {
    const lane = this.lanes.get(event.node)
    if (lane === undefined) return
    const receipt = Trace.receipt(event)
    const flight = receipt?.id === undefined ? undefined : this.flights.get(receipt.id)
    const isStart = event._tag === "Step" && (event.input._tag === "Start" || event.input._tag === "View")
    const row = this.row(event, lane, flight?.row, isStart)
    const isHighlighted = receipt?.id !== undefined && receipt.id === this.highlight
    if (receipt !== undefined) {
      if (flight !== undefined) this.arrow(receipt.id!, flight, row, "received", undefined)
      else this.stub(receipt, { lane, row }, isHighlighted)
    }
    const from = receipt === undefined ? undefined : this.lanes.get(receipt.from)
    const messageKind = receipt === undefined ? undefined : kindOf(receipt.message)
    this.mark({ lane, row, ...this.told(event), from, messageKind, isHighlighted })
    for (const { id, message, to } of Trace.sends(event)) {
      this.kinds.add(kindOf(message))
      this.flights.set(id, { lane, row, to, message, landed: false })
    }
    if (event._tag === "Crash") this.downSince.set(lane, row)
    if (event._tag === "Restart") {
      const since = this.downSince.get(lane)
      if (since !== undefined) this.downs.push({ lane, fromRow: since, toRow: row })
      this.downSince.delete(lane)
    }
  }

  private told(event: Trace.NodeEvent): Pick<Mark, "kind" | "text"> & Partial<Mark> {
    switch (event._tag) {
      case "Crash":
        return { kind: "crash", text: "crashes" }
      case "Restart":
        return { kind: "restart", text: "restarts" }
      case "Stop":
        return { kind: "stop", text: "stops" }
      case "Sent":
        return { kind: "send", text: "" }
      case "Received":
        return { kind: "message", text: this.label(event.message) }
      case "Step": {
        const emits = event.actions.flatMap((action) => (action._tag === "Emit" ? [this.label(action.event)] : []))
        return { ...this.given(event.input), emits, failure: event.failure }
      }
    }
  }

  private given(input: Trace.Input): Pick<Mark, "kind" | "text"> {
    switch (input._tag) {
      case "Start":
        return { kind: "start", text: "" }
      case "Command":
        return { kind: "command", text: this.label(input.command) }
      case "Message":
        return { kind: "message", text: this.label(input.message) }
      case "Timeout":
        return { kind: "timeout", text: input.timer }
      case "View":
        return { kind: "view", text: `view ${input.view.number}: ${input.view.members.join(" ")}` }
    }
  }

  private mark(given: Place & Pick<Mark, "kind" | "text"> & Partial<Mark>): void {
    const rest = { messageKind: undefined, from: undefined, emits: [], failure: undefined, isHighlighted: false }
    this.marks.push({ ...rest, ...given })
  }

  private arrow(id: number, flight: Flight, row: number, fate: Arrow["fate"], reason: string | undefined): void {
    flight.landed = true
    const { lane, message, to } = flight
    this.arrows.push({
      kind: kindOf(message),
      label: this.label(message),
      from: { lane, row: flight.row },
      // A node that is not known is beyond the edge.
      to: { lane: this.lanes.get(to) ?? this.lanes.size, row },
      sender: lane,
      fate,
      reason,
      isHighlighted: id === this.highlight
    })
  }

  /** Its send is not in the picture. */
  private stub(receipt: { readonly from: string; readonly message: unknown }, to: Place, isHighlighted: boolean): void {
    const kind = kindOf(receipt.message)
    this.kinds.add(kind)
    this.arrows.push({
      kind,
      label: this.label(receipt.message),
      from: undefined,
      to,
      sender: this.lanes.get(receipt.from),
      fate: "received",
      reason: undefined,
      isHighlighted
    })
  }

  /** The row of an event: a new one, or the latest where it can be shared. */
  private row(event: Trace.Event, lane?: number, afterRow = -1, isStart = false): number {
    const atMillis = event.atMillis === undefined ? undefined : event.atMillis - this.beginMillis
    const last = this.rows.at(-1)
    const row = this.rows.length - 1
    const isOneMoment =
      last !== undefined &&
      ((isStart && last.isStart) ||
        (this.shares && atMillis !== undefined && last.atMillis === atMillis && last.lanes.size > 0))
    if (isOneMoment && lane !== undefined && !last.lanes.has(lane) && afterRow < row) {
      last.lanes.add(lane)
      last.isStart &&= isStart
      return row
    }
    this.rows.push({ atMillis, lanes: new Set(lane === undefined ? [] : [lane]), isStart })
    return row + 1
  }
}

const hasTime = (event: Trace.Event): boolean => event.atMillis !== undefined

/** Gives times of a picture their unit: milliseconds, or seconds where they are many. */
export const timeFormat = (layout: Layout): ((atMillis: number) => string) => {
  const latest = layout.rows.reduce((most, { atMillis = 0 }) => Math.max(most, atMillis), 0)
  return latest < 10_000 ? (millis) => `${millis.toFixed(1)} ms` : (millis) => `${(millis / 1000).toFixed(3)} s`
}

/** "12 earlier events and 3 later ones are left out". */
export const leftOut = ({ earlier, later }: Pick<Layout, "earlier" | "later">): string | undefined => {
  const parts = [earlier > 0 ? `${earlier} earlier` : "", later > 0 ? `${later} later` : ""].filter(
    (part) => part !== ""
  )
  if (parts.length === 0) return undefined
  return `${parts.join(" and ")} ${earlier + later === 1 ? "event is" : "events are"} left out`
}
