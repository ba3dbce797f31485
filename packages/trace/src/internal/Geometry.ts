/** Where everything of a layout is in an SVG, in pixels; labels where they meet nothing. */
import { cut } from "../Label.ts"
import * as Svg from "../Svg.ts"
import { bending } from "./Bow.ts"
import type { Arrow, Layout, Mark, Remark } from "./Layout.ts"

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Box extends Point {
  readonly width: number
  readonly height: number
}

export interface PlacedArrow {
  readonly arrow: Arrow
  readonly from: Point
  /** From where the head comes, where the arrow is bent. Default: `from`. */
  readonly via?: Point
  /** Its tip, or the cross of a message that is lost. */
  readonly at: Point
  readonly path: string
}

export interface Part {
  readonly content: string
  /** Of a message. */
  readonly kind: string | undefined
  readonly style: string
}

export interface Label {
  readonly box: Box
  readonly parts: ReadonlyArray<Part>
}

export interface PlacedRemark {
  readonly remark: Remark
  readonly y: number
  readonly box: Box
  readonly shown: string
}

export interface Geometry {
  readonly width: number
  readonly height: number
  readonly gap: number
  readonly rowHeight: number
  readonly left: number
  readonly top: number
  readonly bottom: number
  readonly isTall: boolean
  readonly x: (lane: number) => number
  readonly y: (row: number) => number
  /** What belongs to a lane: labels are on its right. */
  readonly column: (lane: number) => readonly [number, number]
  readonly legend: ReadonlyArray<{ readonly kind: string; readonly x: number; readonly y: number }>
  readonly remarks: ReadonlyArray<PlacedRemark>
  readonly arrows: ReadonlyArray<PlacedArrow>
  readonly labels: ReadonlyArray<Label>
}

const rowHeight = 26
const labelSize = 11
const labelHeight = 13

export const measure = (picture: Layout): Geometry => {
  const { lanes, rows } = picture
  const hasTimes = rows.some(({ atMillis }) => atMillis !== undefined)
  const left = hasTimes ? 100 : 50
  const longest = picture.marks.reduce((most, mark) => Math.max(most, widthOf(partsOf(mark))), 0)
  const gap = Math.min(lanes.length > 6 ? 150 : 210, Math.max(110, longest + 34))
  // What remarks and the legend may take.
  const room = Math.max(480, left + 10 + gap * lanes.length + 24)
  const legend = placeLegend(
    picture.kinds,
    Math.min(room, left + 10 + gap * (lanes.length - 1) + 60),
    picture.earlier + picture.later > 0 ? 72 : 54
  )
  const top = (legend.at(-1)?.y ?? 34) + 42
  // The first lane has arrows on its right only: labels have room on its left.
  const firstRoom = picture.marks.reduce((most, { from = 0, lane, ...mark }) => {
    const widths = lane === 0 && from > 0 ? partsOf({ ...mark, from, lane }).map((part) => widthOf([part])) : [0]
    return Math.max(most, ...widths)
  }, 0)
  const first = left + 10 + Math.min(gap - 22, firstRoom)
  const x = (lane: number): number => first + Math.min(lane, lanes.length - 0.6) * gap
  const y = (row: number): number => top + 24 + row * rowHeight
  const hasStubs = picture.arrows.some(({ fate }) => fate === "under way")
  const bottom = y(Math.max(0, rows.length - 1)) + (hasStubs ? 2.2 * rowHeight : 20)
  const isTall = rows.length > 24
  const remarks = picture.remarks.map((remark) => placeRemark(remark, left, room, y))
  const bend = bending(picture.marks, y)
  const arrows = picture.arrows.map((arrow) => bent(placeArrow(arrow, x, y, gap), bend))
  const labels = new Labels(picture, remarks, arrows, { gap, x, y, least: left - 10 }).place()
  const rights = [...labels, ...remarks].map(({ box }) => box.x + box.width).concat(arrows.map(({ at }) => at.x))
  const width = rights.reduce((most, right) => Math.max(most, right + 28), Math.max(480, x(lanes.length - 1) + 60))
  return {
    width,
    height: bottom + (isTall ? 40 : 20),
    gap,
    rowHeight,
    left,
    top,
    bottom,
    isTall,
    x,
    y,
    column: (lane) => [
      lane === 0 ? left - 14 : x(lane) - 24,
      lane === lanes.length - 1 ? width - 20 : x(lane + 1) - 24
    ],
    legend,
    remarks,
    arrows,
    labels
  }
}

/** As much of a text as has room. */
export const fit = (content: string, room: number, size: number): string =>
  cut(content, Math.max(1, Math.floor(([...content].length * room) / Math.max(1, Svg.textWidth(content, size)))))

const placeLegend = (kinds: ReadonlyArray<string>, width: number, firstY: number): Geometry["legend"] => {
  let [x, y] = [20, firstY]
  return kinds.map((kind) => {
    const room = 32 + Svg.textWidth(kind, labelSize) + 22
    if (x > 20 && x + room > width - 10) [x, y] = [20, y + 18]
    const place = { kind, x, y }
    x += room
    return place
  })
}

const placeRemark = (remark: Remark, left: number, width: number, y: (row: number) => number): PlacedRemark => {
  const mark = remark.kind === "broken" ? "✗ " : ""
  const shown = fit(`${mark}${remark.text}`, width - left - 40, labelSize)
  const height = remark.kind === "note" ? 16 : 20
  const boxWidth = Svg.textWidth(shown, labelSize) + 16
  // Between the first two lanes, so that no lane goes through it where it is short.
  const box = { x: left + 20, y: y(remark.row) - height / 2, width: boxWidth, height }
  return { remark, y: y(remark.row), box, shown }
}

// ------------------------------------------------------------------------------------------------------- the arrows

const placeArrow = (
  arrow: Arrow,
  x: (lane: number) => number,
  y: (row: number) => number,
  gap: number
): PlacedArrow => {
  const end = { x: x(arrow.to.lane), y: y(arrow.to.row) }
  if (arrow.from === undefined) {
    const side = arrow.sender === undefined || arrow.sender <= arrow.to.lane ? -1 : 1
    return straight(arrow, { x: end.x + side * Math.min(40, gap * 0.3), y: end.y - rowHeight * 0.6 }, end, 0, 6)
  }
  const start = { x: x(arrow.from.lane), y: y(arrow.from.row) }
  const lanesApart = arrow.to.lane - arrow.from.lane
  const side = lanesApart < 0 ? -1 : 1
  if (arrow.fate === "under way") {
    const drop = rowHeight * (0.55 + 0.28 * Math.min(5, Math.abs(lanesApart)))
    return straight(arrow, start, { x: start.x + side * gap * 0.4, y: start.y + drop }, 3, 0)
  }
  if (arrow.fate === "lost") {
    const near = lanesApart === 0 ? start.x + gap * 0.3 : end.x - side * gap * 0.42
    return straight(arrow, start, { x: near, y: end.y }, 3, 0)
  }
  if (lanesApart !== 0) return straight(arrow, start, end, 3, 6)
  const bend = start.x + Math.min(44, gap * 0.35)
  const tip = { x: end.x + 6, y: end.y - 2 }
  return {
    arrow,
    from: { x: bend, y: end.y - 6 },
    at: tip,
    path: `M${start.x} ${start.y}C${bend} ${start.y} ${bend} ${end.y - 6} ${tip.x + 6} ${tip.y - 1}`
  }
}

/** A line that stops short of its ends by so much, and ends inside its head. */
const straight = (arrow: Arrow, from: Point, to: Point, gapFrom: number, gapTo: number): PlacedArrow => {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1
  const along = (by: number): Point => ({
    x: from.x + ((to.x - from.x) * by) / length,
    y: from.y + ((to.y - from.y) * by) / length
  })
  const at = along(length - gapTo)
  const start = along(gapFrom)
  const end = arrow.fate === "lost" ? at : along(length - gapTo - 6)
  const number = (value: number): string => value.toFixed(1)
  return { arrow, from, at, path: `M${number(start.x)} ${number(start.y)}L${number(end.x)} ${number(end.y)}` }
}

/** Round the marks that it would go through. */
const bent = (placed: PlacedArrow, bend: (arrow: Arrow) => number): PlacedArrow => {
  const { arrow, at, from } = placed
  const by = arrow.fate === "received" ? bend(arrow) : 0
  if (by === 0) return placed
  // The middle of such a curve is half as far out as the point that it bends to.
  const via = { x: (from.x + at.x) / 2, y: (from.y + at.y) / 2 + 2 * by }
  const length = Math.hypot(at.x - via.x, at.y - via.y)
  const tail = { x: at.x + ((via.x - at.x) * 6) / length, y: at.y + ((via.y - at.y) * 6) / length }
  const points = [from, via, tail].map((point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`)
  return { ...placed, via, path: `M${points[0]}Q${points[1]} ${points[2]}` }
}

// ------------------------------------------------------------------------------------------------------- the labels

const partsOf = (mark: Mark): ReadonlyArray<Part> => {
  const bold = mark.isHighlighted ? "bold" : ""
  const style = {
    crash: "wrong",
    restart: "muted",
    stop: "muted",
    note: "muted",
    timeout: "muted",
    view: "muted"
  } as const
  const main: Part = {
    content: mark.text,
    kind: mark.kind === "message" ? mark.messageKind : undefined,
    style: mark.kind === "command" ? "bold" : mark.kind in style ? style[mark.kind as keyof typeof style] : bold
  }
  const parts = [
    main,
    ...mark.emits.map((event) => ({ content: `▸ ${event}`, kind: undefined, style: "bold" })),
    ...(mark.failure === undefined ? [] : [{ content: `✗ ${mark.failure}`, kind: undefined, style: "wrong" }])
  ].filter(({ content }) => content !== "")
  return parts.map((part, index) => (index === 0 ? part : { ...part, content: `\u00A0${part.content}` }))
}

const widthOf = (parts: ReadonlyArray<Part>): number =>
  parts.reduce(
    (sum, { content, style }) => sum + Svg.textWidth(content, style === "bold" ? labelSize + 0.1 : labelSize),
    0
  )

/** The parts that have room, the last of them cut. */
const shorten = (parts: ReadonlyArray<Part>, room: number): ReadonlyArray<Part> => {
  const kept: Array<Part> = []
  let left = room
  for (const part of parts) {
    if (left < 16) break
    // What is cut loses spaces at its beginning.
    const space = kept.length === 0 ? "" : "\u00A0"
    kept.push({ ...part, content: `${space}${fit(part.content.trim(), left - 8, labelSize)}` })
    left -= Svg.textWidth(part.content, labelSize)
  }
  return kept
}

const meet = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

/** Whether a line passes through a box: by cutting off what is outside of each side. */
const passes = (from: Point, to: Point, box: Box): boolean => {
  let [enter, leave] = [0, 1]
  const [dx, dy] = [to.x - from.x, to.y - from.y]
  const sides = [
    [-dx, from.x - box.x],
    [dx, box.x + box.width - from.x],
    [-dy, from.y - box.y],
    [dy, box.y + box.height - from.y]
  ] as const
  for (const [slope, distance] of sides) {
    if (slope === 0) {
      if (distance < 0) return false
    } else if (slope < 0) enter = Math.max(enter, distance / slope)
    else leave = Math.min(leave, distance / slope)
  }
  return enter < leave
}

interface Frame {
  readonly gap: number
  /** Nothing is further left. */
  readonly least: number
  readonly x: (lane: number) => number
  readonly y: (row: number) => number
}

/** Labels go where fewest arrows pass, and never over another label: one without room is left to the tooltip. */
class Labels {
  private readonly picture: Layout
  private readonly arrows: ReadonlyArray<PlacedArrow>
  private readonly frame: Frame
  private readonly taken = new Map<number, Array<Box>>()
  private readonly passing = new Map<number, Array<PlacedArrow>>()
  private readonly labels: Array<Label> = []

  constructor(picture: Layout, remarks: ReadonlyArray<PlacedRemark>, arrows: ReadonlyArray<PlacedArrow>, frame: Frame) {
    this.picture = picture
    this.arrows = arrows
    this.frame = frame
    for (const { box } of remarks) this.take(box)
    for (const mark of picture.marks) {
      this.take({ x: frame.x(mark.lane) - 6, y: frame.y(mark.row) - 6, width: 12, height: 12 })
    }
    for (const arrow of arrows) {
      this.take(headOf(arrow))
      const [from, to] = [stripe(arrow.from.y), stripe(arrow.at.y)]
      for (let at = Math.min(from, to); at <= Math.max(from, to); at++) push(this.passing, at, arrow)
    }
  }

  place(): ReadonlyArray<Label> {
    for (const mark of this.picture.marks) this.placeMark(mark)
    const told = new Set<string>()
    for (const placed of this.arrows) {
      const { fate, from, isHighlighted, kind, label, to } = placed.arrow
      if (fate === "received") continue
      const key = `${from?.lane}/${from?.row}/${to.row}/${label}/${fate}`
      // What went to several is named once.
      if (told.has(key)) continue
      told.add(key)
      this.placeAt(placed.at, [{ content: label, kind, style: isHighlighted ? "bold" : "" }], this.frame.gap * 0.8)
    }
    return this.labels
  }

  private placeMark(mark: Mark): void {
    const parts = partsOf(mark)
    if (parts.length === 0) return
    const { frame } = this
    const point = { x: frame.x(mark.lane), y: frame.y(mark.row) }
    const first = mark.from !== undefined && mark.from > mark.lane ? -1 : 1
    const room = frame.gap - 22
    // What has no room in one line gets two.
    const lines = widthOf(parts) <= room ? [parts] : parts.map((part) => [{ ...part, content: part.content.trim() }])
    for (const line of lines) this.placeAt(point, line, room, first)
  }

  private placeAt(point: Point, parts: ReadonlyArray<Part>, room: number, first = 1): void {
    for (const share of [1, 0.6]) {
      const shown = shorten(parts, room * share)
      const width = Math.min(room, widthOf(shown)) + 2
      let best: { readonly box: Box; readonly cost: number } | undefined
      for (const side of [first, -first]) {
        for (const [index, up] of offsets.entries()) {
          const x = side > 0 ? point.x + 9 : point.x - 9 - width
          const box = { x, y: point.y + up, width, height: labelHeight }
          if (x < this.frame.least || this.isTaken(box)) continue
          const cost = this.cost(box) * 10 + index * 3 + (side === first ? 0 : 2)
          if (best === undefined || cost < best.cost) best = { box, cost }
        }
      }
      if (best === undefined) continue
      this.take(best.box)
      this.labels.push({ box: best.box, parts: shown })
      return
    }
  }

  private cost(box: Box): number {
    const near = this.passing.get(stripe(box.y + box.height / 2)) ?? []
    return near.reduce((sum, { at, from }) => sum + (passes(from, at, box) ? 1 : 0), 0)
  }

  private take(box: Box): void {
    for (let at = stripe(box.y); at <= stripe(box.y + box.height); at++) push(this.taken, at, box)
  }

  private isTaken(box: Box): boolean {
    for (let at = stripe(box.y); at <= stripe(box.y + box.height); at++) {
      if (this.taken.get(at)?.some((other) => meet(box, other)) === true) return true
    }
    return false
  }
}

/** Where the head is, or the cross. */
const headOf = ({ arrow, at, from }: PlacedArrow): Box => {
  const length = Math.hypot(at.x - from.x, at.y - from.y) || 1
  const back = arrow.fate === "lost" ? 0 : 5 / length
  return { x: at.x - (at.x - from.x) * back - 5, y: at.y - (at.y - from.y) * back - 4.5, width: 10, height: 9 }
}

/** Above the mark, below it, beside it; a bit further, where a head would be met. */
const offsets = [-14.5, 2, -6.5, -18.5, 6]

const stripe = (y: number): number => Math.floor(y / rowHeight)

const push = <A>(map: Map<number, Array<A>>, key: number, item: A): void => {
  const items = map.get(key)
  if (items === undefined) map.set(key, [item])
  else items.push(item)
}
