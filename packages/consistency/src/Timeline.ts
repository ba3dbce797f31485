/**
 * Pictures of histories: a lane for each process, a bar from an operation's call to its return.
 *
 * What a verdict is about stands out: its culprit in red, the operations of its reason highlighted, the reason below. An
 * operation that never returned fades to the right. Where a checker found an order, a dot in each bar says when the
 * operation took effect. Of a long history the surroundings of the culprit are drawn, and how many operations are left
 * out is said.
 *
 * Transactions are boxes, session by session, with an arrow from each write to the reads that saw it; the cycle that
 * refutes them is red.
 */
import { Svg } from "@troupe/trace"
import type { History, Operation } from "./History.ts"
import { around, headline, labelOf, type Span, spread, type Window, wrap } from "./internal/timeline/Window.ts"
import type { Verdict } from "./Verdict.ts"

export { transactionsSvg, transactionsTerminal } from "./internal/timeline/TransactionPicture.ts"

export interface Options {
  readonly title?: string
  readonly verdict?: Verdict
  /** The most operations, or transactions, in a picture. Default: 40. */
  readonly limit?: number
}

const { element, text } = Svg

const size = 11
const laneHeight = 36
const barHeight = 22

/** A picture as an SVG file. */
export const svg = (history: History, options: Options & { readonly theme?: Svg.Theme } = {}): string => {
  const { limit = 40, theme = "auto", verdict } = options
  const window = around(history, verdict, Math.max(1, limit))
  const order = verdict?._tag === "Ok" ? verdict.order : undefined
  const { length, spans } = spread(window, order, 12, (label) => Svg.textWidth(label, size) + 20)
  const left = 34 + Math.max(20, ...window.processes.map((process) => Svg.textWidth(cut(process), size)))
  const top = 74
  const width = Math.max(520, left + length + 40)
  const caption = wrap(reasonOf(verdict), Math.floor((width - 40) / (size * 0.61)))
  const bottom = top + window.processes.length * laneHeight
  const lane = new Map(window.processes.map((process, index) => [process, index]))
  const y = (process: string): number => top + lane.get(process)! * laneHeight + laneHeight / 2
  const title = options.title ?? headline(verdict) ?? "history"
  return Svg.document(
    {
      width,
      height: bottom + 24 + Math.max(1, caption.length) * 16,
      title,
      description: describe(window, verdict),
      css: Svg.stylesheet(theme, [...Svg.baseRules, ...rules])
    },
    openFade(),
    element("text", { class: "title", x: 20, y: 30 }, text(title)),
    element("text", { class: "muted", x: 20, y: 50 }, text(summary(window))),
    ...window.processes.map((process) =>
      element(
        "g",
        {},
        element("text", { class: "process muted", x: left - 14, y: y(process) + 4 }, text(cut(process))),
        element("line", { class: "lane", x1: left - 6, y1: y(process), x2: width - 20, y2: y(process) })
      )
    ),
    effectLine(spans, left, y),
    ...spans.map((span) => bar(span, styleOf(window, span), left, y(span.operation.process))),
    ...caption.map((line, index) =>
      element("text", { class: captionStyle(verdict), x: 20, y: bottom + 24 + index * 16 }, text(line))
    )
  )
}

const rules: ReadonlyArray<Svg.Rule> = [
  ["text", `font-size:${size}px`, `font-size:${size}px`],
  ["text.title", "font-size:15px;font-weight:600", "font-size:15px;font-weight:600"],
  ["text.process", "text-anchor:end;font-weight:600", "text-anchor:end;font-weight:600"],
  [".lane", "stroke:#E3E7EB;stroke-width:1", "stroke:#232B34"],
  [".bar", "fill:#EEF1F4;stroke:#8C96A0;stroke-width:1.2", "fill:#1B222B;stroke:#6B7682"],
  [".bar.involved", "fill:#DCEBFA;stroke:#0067A8;stroke-width:1.8", "fill:#12304A;stroke:#5CB8F5"],
  [".bar.culprit", "fill:#FBDCDF;stroke:#C6152B;stroke-width:2.2", "fill:#4A1B21;stroke:#FF7B72"],
  [".bar.open", "stroke-dasharray:4 3", "stroke-dasharray:4 3"],
  [".veil", "fill:url(#fade)", "fill:url(#fade)"],
  [".veil-stop", "stop-color:#FFFFFF", "stop-color:#0D1117"],
  ["text.culprit", "fill:#A10F22;font-weight:700", "fill:#FF9D96"],
  ["text.involved", "font-weight:700", "font-weight:700"],
  [".effect", "fill:#007A5A;stroke:#FFFFFF;stroke-width:1.2", "fill:#3CCB9C;stroke:#0D1117"],
  [".effects", "fill:none;stroke:#007A5A;stroke-width:1.2;stroke-opacity:.5", "stroke:#3CCB9C"]
]

/** What is open is not over at the picture's edge. */
const openFade = (): string =>
  element(
    "defs",
    {},
    element(
      "linearGradient",
      { id: "fade" },
      element("stop", { class: "veil-stop", offset: "0", "stop-opacity": "0" }),
      element("stop", { class: "veil-stop", offset: "1", "stop-opacity": "1" })
    )
  )

const bar = ({ effect, from, isOpen, label, to }: Span, style: string, left: number, y: number): string => {
  const width = to - from
  const box = { x: left + from, y: y - barHeight / 2, width, height: barHeight }
  const veil = Math.min(48, width * 0.4)
  return element(
    "g",
    { class: "operation" },
    element("title", {}, text(label)),
    element("rect", { class: `bar ${style}${isOpen ? " open" : ""}`.trim(), ...box, rx: 4 }),
    ...(isOpen
      ? [
          element("rect", {
            class: "veil",
            x: box.x + width - veil,
            y: box.y - 2,
            width: veil + 2,
            height: barHeight + 4
          })
        ]
      : []),
    element("text", { class: style === "" ? "label" : `label ${style}`, x: box.x + 10, y: y + 4 }, text(label)),
    ...(effect === undefined
      ? []
      : [element("circle", { class: "effect", cx: left + effect, cy: y + barHeight / 2, r: 3.5 })])
  )
}

const effectLine = (spans: ReadonlyArray<Span>, left: number, y: (process: string) => number): string => {
  const points = spans
    .flatMap(({ effect, operation }) =>
      effect === undefined ? [] : [{ x: left + effect, y: y(operation.process) + barHeight / 2 }]
    )
    .sort((a, b) => a.x - b.x)
  if (points.length < 2) return ""
  return element("path", { class: "effects", d: `M${points.map(({ x, y }) => `${x.toFixed(1)} ${y}`).join("L")}` })
}

const styleOf = ({ culprit, involved }: Window, { operation }: Span): "culprit" | "involved" | "" =>
  operation === culprit ? "culprit" : involved.has(operation) ? "involved" : ""

const reasonOf = (verdict: Verdict | undefined): string =>
  verdict === undefined || verdict._tag === "Ok" ? "" : verdict.reason

const captionStyle = (verdict: Verdict | undefined): string => (verdict?._tag === "Violated" ? "wrong" : "muted")

const summary = ({ leftOut, operations, processes }: Window): string => {
  const shown = `${count(operations.length, "operation")} of ${count(processes.length, "process", "processes")}`
  return leftOut === 0 ? shown : `${shown}; ${leftOut} more ${leftOut === 1 ? "is" : "are"} left out`
}

const count = (value: number, one: string, many = `${one}s`): string => `${value} ${value === 1 ? one : many}`

const describe = (window: Window, verdict: Verdict | undefined): string =>
  `Timeline of a history, time goes to the right: ${summary(window)}. ${reasonOf(verdict)}`.trim()

const cut = (name: string): string => {
  const clean = name.replace(/[\s\p{Cc}]+/gu, " ")
  return clean.length <= 16 ? clean : `…${clean.slice(-15)}`
}

// ------------------------------------------------------------------------------------------------------ in a terminal

const strokes = {
  "": { begin: "├", line: "─", end: "┤", color: "" },
  involved: { begin: "┝", line: "━", end: "┥", color: "1;36" },
  culprit: { begin: "╞", line: "═", end: "╡", color: "1;31" }
} as const

/** The same for a terminal. What is wider than it goes on below. */
export const terminal = (
  history: History,
  options: Options & { readonly width?: number; readonly color?: boolean } = {}
): string => {
  const { color = false, limit = 40, verdict } = options
  const width = Math.max(40, options.width ?? 100)
  const window = around(history, verdict, Math.max(1, limit))
  const order = verdict?._tag === "Ok" ? verdict.order : undefined
  const { length, spans } = spread(window, order, 2, (label) => [...label].length + 5)
  const gutter = Math.max(1, ...window.processes.map((process) => cut(process).length)) + 2
  const room = width - gutter
  const paint = (content: string, style: string): string =>
    color && style !== "" && content !== "" ? `\u001b[${style}m${content}\u001b[0m` : content
  const panels: Array<string> = []
  for (let from = 0; from <= length; from += room) {
    const lines = window.processes.flatMap((process) => {
      const own = spans.filter(({ operation }) => operation.process === process)
      const line = row(own, window, length, from, from + room, paint)
      return line.trim() === "" ? [] : [`${paint(cut(process).padEnd(gutter), "2")}${line}`.trimEnd()]
    })
    panels.push(lines.join("\n"))
  }
  const title = options.title ?? headline(verdict)
  return `${[
    ...(title === undefined ? [] : [paint(title, "1")]),
    paint(summary(window), "2"),
    "",
    panels.filter((panel) => panel !== "").join("\n\n"),
    ...(order === undefined ? [] : ["", ...wrap(orderText(window, order), width)]),
    ...(reasonOf(verdict) === "" ? [] : ["", ...wrap(reasonOf(verdict), width).map((line) => paint(line, "31"))])
  ].join("\n")}\n`
}

/** Of those that are shown: "order: write 1 (p1), read → 1 (p2)". */
const orderText = ({ operations }: Window, order: ReadonlyArray<Operation>): string => {
  const shown = order.filter((operation) => operations.includes(operation))
  return `order: ${shown.map((operation) => `${labelOf(operation)} (${cut(operation.process)})`).join(", ")}`
}

const row = (
  spans: ReadonlyArray<Span>,
  window: Window,
  length: number,
  first: number,
  last: number,
  paint: (content: string, style: string) => string
): string => {
  const cells: Array<readonly [string, string]> = Array.from({ length: length + 1 }, () => [" ", ""] as const)
  for (const span of spans) {
    const { begin, color, end, line } = strokes[styleOf(window, span)]
    const to = Math.max(span.from + 1, span.isOpen ? length : span.to - 1)
    for (let at = span.from; at <= to; at++) cells[at] = [line, color]
    cells[span.from] = [begin, color]
    cells[to] = [span.isOpen ? "▷" : end, color]
    for (const [index, character] of [...` ${span.label} `].entries()) cells[span.from + 2 + index] = [character, color]
    if (span.isOpen) for (let at = span.from + 4 + [...span.label].length; at < to; at++) cells[at] = ["┄", color]
  }
  let content = ""
  let style = ""
  let piece = ""
  for (const [character, next] of cells.slice(first, last)) {
    if (next !== style) {
      content += paint(piece, style)
      piece = ""
      style = next
    }
    piece += character
  }
  return content + paint(piece, style)
}
