/** The picture of a run: calls a second and how long they took over time, with the faults as bands, and whom they befell. */
import { Svg } from "@troupe/trace"
import { quantiles } from "./Figures.ts"
import type { Inflicted } from "./Nemesis.ts"
import { kinds } from "./Plan.ts"
import type { Outcome as Ended, Sample } from "./Recorder.ts"

export interface Subject {
  readonly samples: ReadonlyArray<Sample>
  readonly inflicted: ReadonlyArray<Inflicted>
  readonly nodes: ReadonlyArray<string>
  readonly millis: number
}

const { element, text } = Svg

const left = 78
const width = 1_120
const plotWidth = width - left - 20
const callsTop = 72
const callsHeight = 130
const latencyTop = callsTop + callsHeight + 44
const latencyHeight = 150
const lanesTop = latencyTop + latencyHeight + 44
const laneHeight = 22
const bars = 150
/** Of the axis of latencies. */
const decades = [1, 10, 100, 1_000, 10_000]

const types = ["ok", "fail", "info"] as const
const told: Readonly<Record<Ended["type"], string>> = { ok: "succeeded", fail: "failed", info: "in doubt" }

export const chart = (subject: Subject): string => {
  const { inflicted, millis, nodes } = subject
  const bins = binsOf(subject)
  const lanes = ["links", ...nodes]
  const bottom = lanesTop + lanes.length * laneHeight
  return Svg.document(
    {
      width,
      height: bottom + 44,
      title: "Calls, their latency and the faults over time",
      description: `${subject.samples.length} calls and ${inflicted.length} faults in ${Math.round(millis / 1_000)} seconds.`,
      css: Svg.stylesheet("auto", [...Svg.baseRules, ...rules])
    },
    legend(inflicted),
    ...[callsTop, latencyTop].flatMap((top, index) =>
      inflicted.map((fault) => band(fault, millis, top, index === 0 ? callsHeight : latencyHeight))
    ),
    callsPanel(bins, millis),
    latencyPanel(bins, millis),
    lanesPanel(lanes, inflicted, millis),
    timeAxis(millis, bottom)
  )
}

const rules: ReadonlyArray<Svg.Rule> = [
  ["text", "font-size:12px", "font-size:12px"],
  ["text.end", "text-anchor:end", "text-anchor:end"],
  ["text.middle", "text-anchor:middle", "text-anchor:middle"],
  ["text.name", "font-weight:600", "font-weight:600"],
  [".grid", "stroke:#E3E7EB;stroke-width:1", "stroke:#232B34"],
  [".ok", "fill:#7F8B97", "fill:#8B98A5"],
  [".fail", "fill:#E0A100", "fill:#D6A52C"],
  [".info", "fill:#C6152B", "fill:#FF7B72"],
  [".median", "fill:none;stroke:#1F2328;stroke-width:1.6", "stroke:#E6EDF3"],
  [".p99", "fill:none;stroke:#59636E;stroke-width:1.2;stroke-dasharray:4 3", "stroke:#9198A1"],
  [".largest", "fill:#59636E", "fill:#9198A1"],
  [".band", "opacity:.13", "opacity:.2"],
  [".block", "opacity:.85", "opacity:.85"],
  [".crown", "fill:#FFFFFF;font-weight:700", "fill:#0D1117"],
  ...kinds.map((kind, index): Svg.Rule => {
    const { dark, light } = Svg.palette[index]!
    return [`.${kind}`, `fill:${light}`, `fill:${dark}`]
  })
]

interface Bin {
  readonly samples: ReadonlyArray<Sample>
  readonly fromMillis: number
  readonly millis: number
}

/** By the ends of calls. */
const binsOf = ({ millis, samples }: Subject): ReadonlyArray<Bin> => {
  const length = millis / bars
  const all = Array.from({ length: bars }, (): Array<Sample> => [])
  for (const sample of samples) all[Math.min(bars - 1, Math.floor(sample.toMillis / length))]!.push(sample)
  return all.map((own, index) => ({ samples: own, fromMillis: index * length, millis: length }))
}

const x = (at: number, millis: number): number => left + (at / millis) * plotWidth

const legend = (inflicted: ReadonlyArray<Inflicted>): string => {
  const present = kinds.filter((kind) => inflicted.some((fault) => fault.kind === kind))
  let at = left
  const entry = (name: string, style: string): string => {
    const from = at
    at += 26 + Svg.textWidth(name, 12) + 16
    return (
      element("rect", { class: style, x: from, y: 17, width: 14, height: 14, rx: 3 }) +
      element("text", { x: from + 20, y: 28 }, text(name))
    )
  }
  return [...types.map((type) => entry(told[type], type)), ...present.map((kind) => entry(kind, `${kind} block`))].join(
    ""
  )
}

const band = (fault: Inflicted, millis: number, top: number, height: number): string => {
  const from = x(fault.fromMillis, millis)
  const to = x(fault.toMillis ?? millis, millis)
  return element(
    "rect",
    { class: `${fault.kind} band`, x: from, y: top, width: Math.max(2, to - from), height },
    element("title", {}, text(fault.what))
  )
}

const callsPanel = (bins: ReadonlyArray<Bin>, millis: number): string => {
  const rates = bins.map((bin) => (bin.samples.length * 1_000) / bin.millis)
  const most = nice(Math.max(1, ...rates))
  const height = (rate: number): number => (rate / most) * callsHeight
  const drawn = bins.map(({ fromMillis, millis: length, samples }) => {
    let y = callsTop + callsHeight
    return types.map((type) => {
      const rate = (samples.filter((sample) => sample.type === type).length * 1_000) / length
      if (rate === 0) return ""
      y -= height(rate)
      const box = { x: x(fromMillis, millis) + 0.5, y, width: plotWidth / bars - 1, height: height(rate) }
      return element("rect", { class: type, ...box })
    })
  })
  const lines = [0, most / 2, most].map((rate) => line(callsTop + callsHeight - height(rate), `${rate}`))
  return panelName("calls a second", callsTop) + lines.join("") + drawn.flat().join("")
}

/** 1, 2 or 5 times a power of ten. */
const nice = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10)
}

const latencyPanel = (bins: ReadonlyArray<Bin>, millis: number): string => {
  const [lowest, highest] = [Math.log10(decades[0]!), Math.log10(decades.at(-1)!)]
  const y = (value: number): number => {
    const part = (Math.log10(Math.max(decades[0]!, value)) - lowest) / (highest - lowest)
    return latencyTop + latencyHeight * (1 - Math.min(1, part))
  }
  const ends = bins.map((bin) => ({
    at: x(bin.fromMillis + bin.millis / 2, millis),
    ...quantiles(bin.samples.filter(({ type }) => type === "ok").map((each) => each.toMillis - each.fromMillis))
  }))
  const path = (of: "median" | "p99"): string => {
    let begins = true
    return ends
      .map((end) => {
        if (end.largest === 0) {
          begins = true
          return ""
        }
        const step = `${begins ? "M" : "L"}${end.at.toFixed(1)} ${y(end[of]).toFixed(1)}`
        begins = false
        return step
      })
      .join("")
  }
  return [
    panelName("latency of what succeeded: median, 99th percentile and largest", latencyTop),
    ...decades.map((value) => line(y(value), value < 1_000 ? `${value} ms` : `${value / 1_000} s`)),
    element("path", { class: "p99", d: path("p99") }),
    element("path", { class: "median", d: path("median") }),
    ...ends
      .filter(({ largest }) => largest > 0)
      .map(({ at, largest }) => element("circle", { class: "largest", cx: at, cy: y(largest), r: 1.6 }))
  ].join("")
}

const panelName = (name: string, top: number): string =>
  element("text", { class: "name", x: left, y: top - 10 }, text(name))

const line = (y: number, label: string): string =>
  element("line", { class: "grid", x1: left, y1: y, x2: width - 20, y2: y }) +
  element("text", { class: "muted end", x: left - 8, y: y + 4 }, text(label))

const lanesPanel = (lanes: ReadonlyArray<string>, inflicted: ReadonlyArray<Inflicted>, millis: number): string =>
  panelName("faults", lanesTop) +
  lanes
    .map((lane, index) => {
      const top = lanesTop + index * laneHeight
      const own = inflicted.filter(({ kind, nodes }) =>
        kind === "partition" ? lane === "links" : nodes.includes(lane)
      )
      return line(top + laneHeight / 2, lane) + own.map((fault) => block(fault, lane, top + 3, millis)).join("")
    })
    .join("")

const block = (fault: Inflicted, lane: string, y: number, millis: number): string => {
  const from = x(fault.fromMillis, millis)
  const length = Math.max(3, x(fault.toMillis ?? millis, millis) - from)
  const isCrowned = fault.hitPrimary && fault.nodes[0] === lane && length > 14
  return element(
    "g",
    {},
    element("title", {}, text(`${(fault.fromMillis / 1_000).toFixed(1)} s: ${fault.what}`)),
    element("rect", { class: `${fault.kind} block`, x: from, y, width: length, height: laneHeight - 6, rx: 3 }),
    isCrowned ? element("text", { class: "crown", x: from + 4, y: y + 12 }, "P") : ""
  )
}

const timeAxis = (millis: number, bottom: number): string => {
  const seconds = millis / 1_000
  const step = nice(seconds / 10)
  const marks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step)
  return marks
    .map((mark) => element("text", { class: "muted middle", x: x(mark * 1_000, millis), y: bottom + 20 }, `${mark} s`))
    .join("")
}
