/** A comparison as a picture: a row for each algorithm, a panel for each measure. */
import { Svg } from "@troupe/trace"
import { number } from "../../terminal/Screen.ts"
import type { Measures, Panel, Values } from "./Measures.ts"

/** What was measured of an algorithm at a size; why not, where it was left out. */
export interface Row {
  readonly algorithm: string
  readonly title: string
  readonly nodes: number
  readonly values: Values
  readonly leftOut?: string
}

const rowHeight = 26
const panelWidth = 230
const gap = 40
const size = 12
const top = 66
const valueWidth = 62

const rules: ReadonlyArray<Svg.Rule> = [
  ...Svg.baseRules,
  [".bar", "fill:#0067A8", "fill:#5CB8F5"],
  [".line", "stroke:#0067A8;stroke-width:2", "stroke:#5CB8F5;stroke-width:2"],
  [".ring", "stroke:#0067A8;stroke-width:2;fill:#FFFFFF", "stroke:#5CB8F5;stroke-width:2;fill:#0D1117"],
  [".axis", "stroke:#8C959F;stroke-width:1", "stroke:#6E7681;stroke-width:1"],
  [".grid", "stroke:#D1D9E0;stroke-width:1", "stroke:#30363D;stroke-width:1"]
]

const text = (x: number, y: number, content: string, more: Svg.Attributes = {}): string =>
  Svg.element("text", { x, y, "font-size": size, ...more }, Svg.text(content))

const line = (x1: number, y1: number, x2: number, y2: number, name: string): string =>
  Svg.element("line", { x1, y1, x2, y2, class: name })

const short = (value: number): string =>
  value >= 100 ? number(Math.round(value)) : String(Number(value.toPrecision(3)))

/** 1, 2 or 5 times a power of ten: the least of them that leaves no more than five steps. */
const stepOf = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(most / 5))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => most / step <= 5.001)!
}

export const chart = (
  given: { readonly title: string; readonly notes: ReadonlyArray<string>; readonly panels: Measures["panels"] },
  rows: ReadonlyArray<Row>
): string => {
  const sizes = [...new Set(rows.map(({ nodes }) => nodes))]
  const labels = Math.max(...rows.map(({ title }) => Svg.textWidth(title, size))) + 16
  const left = (at: number): number => labels + 20 + at * (panelWidth + gap)
  const blocks: Array<string> = []
  let y = top
  for (const nodes of sizes) {
    const block = rows.filter((row) => row.nodes === nodes)
    const bottom = y + block.length * rowHeight
    blocks.push(text(20, y - 12, `${number(nodes)} nodes`, { "font-weight": "bold" }))
    for (const [at, { title }] of block.entries()) blocks.push(text(20, y + (at + 0.5) * rowHeight + 4, title))
    for (const [at, panel] of given.panels.entries()) blocks.push(...drawPanel(panel, block, left(at), y, bottom))
    for (const [at, { leftOut }] of block.entries()) {
      const middle = y + (at + 0.5) * rowHeight
      if (leftOut !== undefined) blocks.push(text(left(0) + 9, middle + 4, leftOut, { class: "muted halo" }))
    }
    y = bottom + 92
  }
  const width = left(given.panels.length)
  const description = `Bars and dots of ${given.panels.map(({ title }) => title).join(", ")}, an algorithm a row.`
  return Svg.document(
    {
      width,
      height: y - 28 + 16 * given.notes.length,
      title: given.title,
      description,
      css: Svg.stylesheet("auto", rules)
    },
    text(20, 26, given.title, { "font-size": 15, "font-weight": "bold" }),
    ...blocks,
    ...given.notes.map((note, at) => text(20, y - 36 + 16 * at, note, { class: "muted", "font-size": 11 }))
  )
}

const drawPanel = (
  { keys, title, unit }: Panel,
  rows: ReadonlyArray<Row>,
  left: number,
  top: number,
  bottom: number
): ReadonlyArray<string> => {
  const most = Math.max(...rows.flatMap(({ values }) => keys.map((key) => values[key] ?? 0)), 1e-9)
  const isEmpty = most <= 1e-9
  const scale = (value: number): number => left + (isEmpty ? 0 : (value / most) * (panelWidth - valueWidth))
  const drawn: Array<string> = [text(left, top - 12, title), line(left, top, left, bottom, "axis")]
  const step = stepOf(most)
  for (let tick = 0; !isEmpty && tick <= most * 1.0001; tick += step) {
    drawn.push(line(scale(tick), top, scale(tick), bottom + 4, "grid"))
    drawn.push(
      text(scale(tick), bottom + 17, short(tick), { class: "muted", "text-anchor": "middle", "font-size": 10 })
    )
  }
  drawn.push(text(left, bottom + 33, unit, { class: "muted", "font-size": 11 }))
  for (const [at, { leftOut, values }] of rows.entries()) {
    if (leftOut !== undefined) continue
    drawn.push(...drawRow(keys, values, scale, left, top + (at + 0.5) * rowHeight))
  }
  return drawn
}

const drawRow = (
  keys: ReadonlyArray<string>,
  values: Values,
  scale: (value: number) => number,
  left: number,
  y: number
): ReadonlyArray<string> => {
  const found = keys.flatMap((key) => values[key] ?? [])
  const [first] = found
  if (first === undefined || found.length < keys.length) return [text(left + 6, y + 4, "–", { class: "muted" })]
  const last = found.at(-1)!
  const label = (value: number): string => text(scale(last) + 9, y + 4, short(value), { class: "halo" })
  if (found.length === 1) {
    const bar = { x: left, y: y - 7, width: scale(first) - left, height: 14, class: "bar" }
    return [Svg.element("rect", bar), label(first)]
  }
  const dots = found
    .slice(1, -1)
    .map((value, at) => Svg.element("circle", { cx: scale(value), cy: y, r: 4.5, class: at === 0 ? "bar" : "ring" }))
  return [line(scale(first), y, scale(last), y, "line"), ...dots.toReversed(), label(found[1]!)]
}
