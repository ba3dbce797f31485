import * as Canvas from "./internal/Canvas.ts"
import { type Arrow, type Layout, layout, leftOut, type Mark, type Remark, timeFormat } from "./internal/Layout.ts"
import { cut } from "./Label.ts"
import type { Options } from "./SpaceTime.ts"
import type { Trace } from "./Trace.ts"

/**
 * A picture for a terminal: a column for each node, a row for each event, and on its right what the event was. A message
 * leaves its lane where it is sent, waits beside it, and goes across where it is received.
 */
export const terminal = (
  trace: Trace,
  options: Options & {
    /** In characters. Default: 100. */
    readonly width?: number
    /** Whether it is coloured by escape sequences. Default: false. */
    readonly color?: boolean
  } = {}
): string => {
  const picture = layout(trace, options, false)
  const width = Math.max(40, options.width ?? 100)
  const lines = new Drawing(picture, width).draw(options.color ?? false)
  return `${lines.join("\n")}\n`
}

const red = "1;31"
const yellow = "33"
const muted = "2"
/** Red is for what is broken. */
const colours = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"]

/** A line beside a lane, from a step down to where the last of what it sent on that side arrives. */
interface Track {
  readonly lane: number
  readonly side: 1 | -1
  readonly fromRow: number
  toRow: number
  readonly style: Canvas.Style
  readonly arrows: Array<Arrow>
}

class Drawing {
  private readonly picture: Layout
  private readonly width: number
  private readonly gutter: number
  private readonly gap: number
  private readonly canvas: Canvas.Canvas
  private readonly format: (millis: number) => string
  private readonly style: (kind: string) => Canvas.Style
  private readonly textAt: number

  constructor(picture: Layout, width: number) {
    this.picture = picture
    this.width = width
    this.format = timeFormat(picture)
    const { kinds, lanes, rows } = picture
    const times = rows.map(({ atMillis }) => (atMillis === undefined ? 0 : this.format(atMillis).length + 2))
    this.gutter = Math.max(2, ...times)
    const longest = Math.max(0, ...lanes.map((name) => [...name].length))
    const textRoom = Math.min(48, Math.floor(width * 0.38))
    const room = Math.floor((width - this.gutter - textRoom) / Math.max(1, lanes.length))
    this.gap = Math.min(14, Math.max(longest + 3, 8), Math.max(4, room))
    this.textAt = this.column(lanes.length - 1) + 4
    this.canvas = new Canvas.Canvas(rows.length)
    const index = new Map(kinds.map((kind, at) => [kind, at]))
    this.style = (kind) => colours[(index.get(kind) ?? 0) % colours.length]!
  }

  draw(color: boolean): ReadonlyArray<string> {
    this.lanes()
    this.arrows()
    for (const mark of this.picture.marks) this.mark(mark)
    this.texts()
    this.times()
    for (const remark of this.picture.remarks) this.remark(remark)
    const { lanes, rows } = this.picture
    const names = this.names(color)
    return [
      ...this.heading(color),
      names,
      ...this.canvas.render(this.width, color),
      ...(rows.length > 40 && lanes.length > 1 ? [names] : []),
      ...this.underWay(color)
    ]
  }

  private column(lane: number): number {
    return this.gutter + 1 + lane * this.gap
  }

  // ------------------------------------------------------------------------------------------------ around the lanes

  private heading(color: boolean): ReadonlyArray<string> {
    const { kinds, title } = this.picture
    const left = leftOut(this.picture)
    const legend: Array<string> = []
    let room = this.width
    for (const kind of color ? kinds : []) {
      room -= [...kind].length + 5
      if (room >= 0) legend.push(`${paint("──▶", this.style(kind), color)} ${kind}`)
    }
    return [
      paint(cut(title, this.width), "1", color),
      ...(left === undefined ? [] : [paint(cut(`${left}.`, this.width), muted, color)]),
      ...(legend.length === 0 ? [] : [legend.join("  ")]),
      ""
    ]
  }

  /** Each name over its lane; one that is cut keeps its end, where names of nodes differ. */
  private names(color: boolean): string {
    let line = ""
    for (const [lane, name] of this.picture.lanes.entries()) {
      const characters = [...cut(name, 255)]
      const shown = characters.length < this.gap ? characters : ["…", ...characters.slice(2 - this.gap)]
      const from = Math.max([...line].length + (lane === 0 ? 0 : 1), this.column(lane) - (shown.length >> 1))
      line = line.padEnd(from) + shown.join("")
    }
    return paint(cut(line, this.width + 2) === line.trim() ? line : [...line].slice(0, this.width).join(""), "1", color)
  }

  private underWay(color: boolean): ReadonlyArray<string> {
    const arrows = this.picture.arrows.filter(({ fate }) => fate === "under way")
    if (arrows.length === 0) return []
    const shown = arrows.slice(0, 4).map((arrow) => `${this.route(arrow)} ${arrow.label}`)
    const more = arrows.length > 4 ? ` and ${arrows.length - 4} more` : ""
    return [paint(cut(`under way at the end: ${shown.join(", ")}${more}`, this.width), muted, color)]
  }

  private route({ sender, to }: Pick<Arrow, "sender" | "to">): string {
    return `${this.name(sender)} → ${this.name(to.lane)}`
  }

  private name(lane: number | undefined): string {
    return lane === undefined ? "?" : cut(this.picture.lanes[lane] ?? "?", 20)
  }

  private times(): void {
    let before = ""
    for (const [row, { atMillis }] of this.picture.rows.entries()) {
      const time = atMillis === undefined ? "" : this.format(atMillis)
      if (time !== before) this.canvas.put(row, Math.max(0, this.gutter - 2 - time.length), time, muted)
      before = time
    }
  }

  // ------------------------------------------------------------------------------------------------------- the lines

  private lanes(): void {
    const { bands, downs, lanes, rows } = this.picture
    for (const lane of lanes.keys()) {
      const column = this.column(lane)
      for (const row of rows.keys()) {
        const isDown = downs.some((down) => down.lane === lane && row > down.fromRow && row < down.toRow)
        const part = bands
          .filter(({ fromRow, toRow }) => row >= fromRow && row < toRow)
          .flatMap(({ parts }) => parts.findIndex((part) => part.includes(lane)))[0]
        const style = isDown ? muted : part === undefined ? "37" : part % 2 === 0 ? yellow : "35"
        this.canvas.lane(row, column, isDown ? "down" : "up", style)
      }
    }
  }

  private arrows(): void {
    for (const track of this.tracks()) this.drawTrack(track, this.freeColumn(track))
    for (const arrow of this.picture.arrows) {
      if (arrow.from === undefined) this.stub(arrow)
      if (arrow.from !== undefined && arrow.fate === "under way") {
        const side = arrow.to.lane < arrow.from.lane ? -1 : 1
        this.canvas.put(arrow.from.row, this.column(arrow.from.lane) + side, "╌", this.style(arrow.kind))
      }
    }
  }

  private tracks(): ReadonlyArray<Track> {
    const tracks = new Map<string, Track>()
    for (const arrow of this.picture.arrows) {
      const { fate, from, kind, to } = arrow
      if (from === undefined || fate === "under way") continue
      const side = to.lane < from.lane ? -1 : 1
      const key = `${from.row}/${from.lane}/${side}/${kind}`
      const track = tracks.get(key)
      if (track === undefined) {
        const { lane, row: fromRow } = from
        tracks.set(key, { lane, side, fromRow, toRow: to.row, style: this.style(kind), arrows: [arrow] })
      } else {
        track.arrows.push(arrow)
        track.toRow = Math.max(track.toRow, to.row)
      }
    }
    return [...tracks.values()]
  }

  /** By the rows that its column is taken in. */
  private readonly taken = new Map<number, Array<Track>>()

  /** The nearest to its lane that no other track goes down; none where there is none left. */
  private freeColumn(track: Track): number | undefined {
    const { fromRow, lane, side, toRow } = track
    for (let distance = 2; distance <= this.gap - 2; distance++) {
      const column = this.column(lane) + side * distance
      const others = this.taken.get(column) ?? []
      // What one step sends goes side by side; what follows in the same row would seem to go on.
      if (others.some((other) => fromRow <= other.toRow && other.fromRow <= toRow)) continue
      this.taken.set(column, [...others, track])
      return column
    }
    return undefined
  }

  private drawTrack({ arrows, fromRow, lane, side, style, toRow }: Track, column: number | undefined): void {
    const { canvas } = this
    const home = this.column(lane)
    if (column !== undefined) {
      canvas.across(fromRow, home, column, style)
      for (let row = fromRow; row <= toRow; row++) {
        canvas.line(row, column, (row > fromRow ? Canvas.up : 0) | (row < toRow ? Canvas.down : 0), style)
      }
    }
    for (const { fate, isHighlighted, to } of arrows) {
      const target = this.column(Math.min(to.lane, this.picture.lanes.length))
      // To itself, it comes back.
      const from = to.lane === lane ? (column ?? home + 2) : (column ?? home)
      const tip = to.lane === lane ? target + 1 : target - side
      const bold = isHighlighted ? `1;${style}` : style
      if (fate === "lost") {
        const cross = to.lane === lane ? target + 3 : tip - side
        canvas.across(to.row, from, cross, bold)
        canvas.put(to.row, cross, "✗", red)
      } else {
        canvas.across(to.row, from, tip, bold)
        canvas.put(to.row, tip, tip < target ? "▶" : "◀", bold)
      }
    }
  }

  /** From where is not in the picture. */
  private stub({ kind, sender, to }: Arrow): void {
    const side = sender !== undefined && sender > to.lane ? 1 : -1
    const column = this.column(to.lane)
    this.canvas.put(to.row, column + side, side < 0 ? "▶" : "◀", this.style(kind))
    this.canvas.put(to.row, column + 2 * side, "╌", this.style(kind))
  }

  // ------------------------------------------------------------------------------------------------ marks and texts

  private mark(mark: Mark): void {
    const [sign, style] = this.sign(mark)
    this.canvas.put(mark.row, this.column(mark.lane), sign, mark.failure === undefined ? style : red)
  }

  private sign({ isHighlighted, kind, messageKind }: Mark): readonly [string, Canvas.Style] {
    switch (kind) {
      case "message":
        return ["●", `${isHighlighted ? "1;" : ""}${this.style(messageKind!)}`]
      case "command":
        return ["◆", "1"]
      case "timeout":
        return ["◷", "1"]
      case "crash":
        return ["✗", red]
      case "start":
      case "restart":
        return ["○", "1"]
      case "stop":
        return ["┸", ""]
      case "send":
        return ["•", ""]
      case "note":
      case "view":
        return ["□", ""]
    }
  }

  /** What happened in each row, on the right of all lanes. */
  private texts(): void {
    const { arrows, marks } = this.picture
    const rows = new Map<number, Array<readonly [string, Canvas.Style]>>()
    const tell = (row: number, ...parts: ReadonlyArray<readonly [string, Canvas.Style]>): void => {
      const before = rows.get(row)
      if (before === undefined) rows.set(row, [...parts])
      else before.push([", ", muted], ...parts)
    }
    for (const [row, nodes] of this.starts())
      tell(row, [`${nodes.join(" ")} ${nodes.length === 1 ? "starts" : "start"}`, muted])
    for (const mark of marks) if (mark.kind !== "start" || mark.emits.length > 0) tell(mark.row, ...this.told(mark))
    for (const arrow of arrows) {
      if (arrow.fate !== "lost") continue
      const name = this.style(arrow.kind)
      const others = rows.get(arrow.to.row)
      if (others === undefined) tell(arrow.to.row, [`${this.route(arrow)} `, ""], [arrow.label, name], [" lost", red])
      else others.splice(1, 0, [`${this.name(arrow.to.lane)} `, ""])
    }
    for (const [row, parts] of rows) {
      let column = this.textAt
      for (const [text, style] of parts) {
        const shown = [...text].length > this.width - column ? cut(text, this.width - column) : text
        if (column < this.width) this.canvas.put(row, column, shown, style)
        column += [...text].length
      }
    }
  }

  private starts(): Map<number, Array<string>> {
    const starts = new Map<number, Array<string>>()
    for (const { kind, lane, row } of this.picture.marks) {
      if (kind === "start") starts.set(row, [...(starts.get(row) ?? []), this.name(lane)])
    }
    return starts
  }

  private told(mark: Mark): ReadonlyArray<readonly [string, Canvas.Style]> {
    const name = this.name(mark.lane)
    const main: ReadonlyArray<readonly [string, Canvas.Style]> =
      mark.kind === "message"
        ? [
            [`${this.name(mark.from)} → ${name} `, ""],
            [
              `${mark.isHighlighted ? "★ " : ""}${mark.text}`,
              `${mark.isHighlighted ? "1;" : ""}${this.style(mark.messageKind!)}`
            ]
          ]
        : [
            [`${name} `, ""],
            [
              mark.kind === "timeout" ? `timeout ${mark.text}` : mark.kind === "send" ? "sends" : mark.text,
              mark.kind === "crash" ? red : mark.kind === "command" ? "1" : muted
            ]
          ]
    return [
      ...main,
      ...mark.emits.map((event) => [` ▸ ${event}`, "1"] as const),
      ...(mark.failure === undefined ? [] : [[` ✗ ${cut(mark.failure, 60)}`, red] as const])
    ]
  }

  private remark({ kind, row, text }: Remark): void {
    const style = kind === "broken" ? red : kind === "note" ? muted : yellow
    const stroke = kind === "broken" ? "━" : "╌"
    const from = this.gutter - 1
    const shown = ` ${kind === "broken" ? "✗ " : ""}${cut(text, this.width - from - 8)} `
    this.canvas.put(row, from, `${stroke.repeat(2)}${shown}`.padEnd(this.width - from, stroke), style)
  }
}

const paint = (text: string, style: Canvas.Style, color: boolean): string =>
  color && text !== "" ? `\u001b[${style}m${text}\u001b[0m` : text
