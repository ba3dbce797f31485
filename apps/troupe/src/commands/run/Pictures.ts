/** A run as a picture: each message of a small one, how things came to all in a large one. */
import { SpaceTime, Svg, Trace } from "@troupe/trace"
import { count, number } from "../../terminal/Screen.ts"
import type { Report } from "./Report.ts"

/** With more lanes nobody sees anything. */
export const lanesMax = 32

/** Of a run with more events the picture has the first. */
const eventsMax = 400

export const svgOf = (report: Report, events: ReadonlyArray<Trace.Event>): string => {
  const { card, service } = report.plan.demonstration
  const { nodes, seed } = report.plan
  const title = `${card.title}, ${number(nodes.length)} nodes, seed ${seed}`
  if (nodes.length > lanesMax) return curve(title, report)
  const trace = { header: Trace.header({ title, source: "simulation", nodes }), events }
  const label = service === "multicast" ? { label: wordOf } : {}
  return SpaceTime.svg(trace, { hide: card.cost.background ?? [], limit: eventsMax, ...label })
}

/** "Delivered n3.2": what it is, and of which message. */
const wordOf = (value: unknown): string => {
  const { _tag: tag = "", payload } = value as {
    readonly _tag?: string
    readonly payload?: { readonly message?: unknown }
  }
  return payload?.message === undefined ? tag : `${tag} ${String(payload.message)}`
}

const width = 760
const height = 420
const left = 70
const right = 30
const top = 60
const bottom = 60

const rules: ReadonlyArray<Svg.Rule> = [
  ...Svg.baseRules,
  [".curve", "fill:none;stroke:#0067A8;stroke-width:2.5", "fill:none;stroke:#5CB8F5;stroke-width:2.5"],
  [".axis", "stroke:#8C959F;stroke-width:1", "stroke:#6E7681;stroke-width:1"],
  [".grid", "stroke:#D1D9E0;stroke-width:1", "stroke:#30363D;stroke-width:1"]
]

const text = (x: number, y: number, content: string, more: Svg.Attributes = {}): string =>
  Svg.element("text", { x, y, "font-size": 12, ...more }, Svg.text(content))

/** Which share of all that was sent had come to somebody, over time. */
const curve = (title: string, { plan: { demonstration, nodes }, tally: { spread } }: Report): string => {
  const times = spread.timesMillis.toSorted((a, b) => a - b)
  const due = spread.sent * nodes.length
  const endMillis = Math.max(1, times.at(-1) ?? 1)
  const x = (millis: number): number => left + (millis / endMillis) * (width - left - right)
  const y = (share: number): number => height - bottom - share * (height - top - bottom)
  const steps = Math.min(times.length, 400)
  const points = Array.from({ length: steps }, (_, at) => {
    const index = Math.ceil(((at + 1) * times.length) / steps) - 1
    return `${x(times[index]!).toFixed(1)},${y((index + 1) / due).toFixed(1)}`
  })
  const line = (x1: number, y1: number, x2: number, y2: number, name: string): string =>
    Svg.element("line", { x1, y1, x2, y2, class: name })
  const muted = { class: "muted", "font-size": 11 }
  const rows = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    line(left, y(share), width - right, y(share), share === 0 ? "axis" : "grid"),
    text(left - 8, y(share) + 4, `${share * 100} %`, { ...muted, "text-anchor": "end" })
  ])
  const columns = Array.from({ length: 6 }, (_, at) => {
    const millis = (endMillis * at) / 5
    return text(x(millis), height - bottom + 18, `${(millis / 1_000).toFixed(1)} s`, {
      ...muted,
      "text-anchor": "middle"
    })
  })
  return Svg.document(
    {
      width,
      height,
      title,
      description: "The share of all nodes and items that had come together, over time.",
      css: Svg.stylesheet("auto", rules)
    },
    text(20, 28, title, { "font-size": 15, "font-weight": "bold" }),
    ...rows,
    ...columns,
    Svg.element("polyline", { points: [`${x(0)},${y(0)}`, ...points].join(" "), class: "curve" }),
    text(
      left,
      height - 14,
      `${count(spread.sent, demonstration.operation)}, at ${number(nodes.length)} nodes: ${number(times.length)} of ${number(due)} came`,
      muted
    )
  )
}
