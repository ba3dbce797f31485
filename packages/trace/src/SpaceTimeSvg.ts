import * as Geometry from "./internal/Geometry.ts"
import { type Arrow, type Layout, layout, leftOut, type Mark, type Remark, timeFormat } from "./internal/Layout.ts"
import type { Options } from "./SpaceTime.ts"
import * as Svg from "./Svg.ts"
import type { Trace } from "./Trace.ts"

const { element, text } = Svg

/** A picture as an SVG file. */
export const svg = (trace: Trace, options: Options & { readonly theme?: Svg.Theme } = {}): string => {
  const picture = layout(trace, options, true)
  const geometry = Geometry.measure(picture)
  const colour = colours(picture)
  const { height, width } = geometry
  const css = Svg.stylesheet(options.theme ?? "auto", [...Svg.baseRules, ...rules, ...kindRules(picture.kinds.length)])
  return Svg.document(
    { width, height, title: picture.title, description: describe(picture), css },
    heading(picture, geometry, colour),
    element("g", {}, ...picture.bands.map((band) => drawBand(band, geometry))),
    element("g", {}, ...times(picture, geometry)),
    element("g", {}, ...picture.lanes.map((name, lane) => drawLane(name, lane, picture, geometry))),
    element("g", {}, ...geometry.remarks.map((remark) => drawRemarkLine(remark, geometry))),
    element("g", {}, ...geometry.arrows.map((arrow) => drawArrow(arrow, colour(arrow.arrow.kind)))),
    element("g", {}, ...picture.marks.map((mark) => drawMark(mark, geometry, colour))),
    element("g", {}, ...geometry.labels.map((label) => drawLabel(label, colour))),
    element("g", {}, ...geometry.remarks.map((remark) => drawRemark(remark)))
  )
}

type Colour = (kind: string) => string

const rules: ReadonlyArray<Svg.Rule> = [
  ["text", "font-size:11px", "font-size:11px"],
  ["text.title", "font-size:15px;font-weight:600", "font-size:15px;font-weight:600"],
  [
    "text.node",
    "font-size:12.5px;font-weight:600;text-anchor:middle",
    "font-size:12.5px;font-weight:600;text-anchor:middle"
  ],
  ["text.time", "font-size:10px;text-anchor:end", "font-size:10px;text-anchor:end"],
  [".bold", "font-weight:700", "font-weight:700"],
  [".pill", "fill:#F3F5F7;stroke:#C8CFD6", "fill:#1B222B;stroke:#3D4752"],
  [".lane", "stroke:#8C96A0;stroke-width:1.6", "stroke:#6B7682"],
  [".down", "stroke:#B9C1C9;stroke-width:1.4;stroke-dasharray:2 5", "stroke:#4A545F"],
  [".tick", "stroke:#EAEEF2;stroke-width:1", "stroke:#1C232C"],
  [".ink", "fill:#3B444D;stroke:#3B444D", "fill:#C3CCD5;stroke:#C3CCD5"],
  [".hollow", "fill:#FFFFFF;stroke:#3B444D;stroke-width:1.6", "fill:#0D1117;stroke:#C3CCD5"],
  [".part0", "fill:#F5A623;fill-opacity:.13", "fill:#F5A623;fill-opacity:.14"],
  [".part1", "fill:#7A6FF0;fill-opacity:.11", "fill:#8E85FF;fill-opacity:.15"],
  [".edge", "stroke:#9A6700;stroke-width:1;stroke-dasharray:6 4", "stroke:#D29922"],
  ["text.edge-text", "fill:#7D5300;stroke-dasharray:none;font-weight:600", "fill:#E3B341"],
  [".edge-box", "fill:#FFFFFF;stroke:#9A6700", "fill:#0D1117;stroke:#D29922"],
  [".cross", "stroke:#C6152B;stroke-width:2.4;stroke-linecap:round;fill:none", "stroke:#FF7B72"],
  [".broken-line", "stroke:#C6152B;stroke-width:1.6", "stroke:#FF7B72"],
  [".broken-box", "fill:#C6152B", "fill:#B62334"],
  ["text.broken-text", "fill:#FFFFFF;font-weight:700", "fill:#FFFFFF"],
  [".message", "fill:none;stroke-width:1.5", "fill:none;stroke-width:1.5"],
  [".matters", "stroke-width:3", "stroke-width:3"],
  [".glow", "fill:none;stroke-width:11;stroke-opacity:.2;stroke-linecap:round", "stroke-opacity:.28"],
  [".underway", "stroke-dasharray:5 4;stroke-opacity:.75", "stroke-dasharray:5 4;stroke-opacity:.75"],
  [".remark-text", "font-style:italic", "font-style:italic"]
]

/** A kind is told by its colour, and from the eighth on by dashes besides. */
const kindRules = (count: number): ReadonlyArray<Svg.Rule> =>
  Array.from({ length: count }, (_, at) => {
    const { dark, light } = Svg.palette[at % Svg.palette.length]!
    const dash = at < Svg.palette.length ? "" : ";stroke-dasharray:7 3"
    return [
      [`.k${at}`, `stroke:${light}${dash}`, `stroke:${dark}${dash}`],
      [`.f${at}`, `fill:${light}`, `fill:${dark}`]
    ] as ReadonlyArray<Svg.Rule>
  }).flat()

const colours = ({ kinds }: Layout): Colour => {
  const index = new Map(kinds.map((kind, at) => [kind, at]))
  return (kind) => String(index.get(kind) ?? 0)
}

const describe = (picture: Layout): string => {
  const { arrows, downs, lanes, remarks } = picture
  const lost = arrows.filter(({ fate }) => fate === "lost").length
  const broken = remarks.filter(({ kind }) => kind === "broken").map(({ text }) => text)
  return [
    `Space–time diagram, time goes down: ${lanes.length} nodes (${lanes.join(", ")}), ${arrows.length} messages`,
    lost > 0 ? `, ${lost} of them lost` : "",
    downs.length > 0 ? `, ${downs.length === 1 ? "one crash" : `${downs.length} crashes`}` : "",
    broken.length > 0 ? `. Broken: ${broken.join("; ")}` : "",
    "."
  ].join("")
}

const heading = (picture: Layout, { legend, width }: Geometry.Geometry, colour: Colour): string => {
  const left = leftOut(picture)
  return element(
    "g",
    {},
    element("text", { class: "title", x: 20, y: 30 }, text(Geometry.fit(picture.title, width - 40, 15))),
    ...(left === undefined
      ? []
      : [element("text", { class: "muted", x: 20, y: 48 }, text(Geometry.fit(`${left}.`, width - 40, 11)))]),
    ...legend.map(({ kind, x, y }) =>
      element(
        "g",
        { class: "legend" },
        element("line", { class: `message k${colour(kind)}`, x1: x, y1: y - 4, x2: x + 18, y2: y - 4 }),
        element("path", { class: `f${colour(kind)}`, d: head(x, y - 4, x + 26, y - 4) }),
        element("text", { class: `f${colour(kind)}`, x: x + 32, y }, text(kind))
      )
    )
  )
}

const times = ({ lanes, rows }: Layout, geometry: Geometry.Geometry): ReadonlyArray<string> => {
  const format = timeFormat({ rows } as Layout)
  let before: string | undefined
  return rows.flatMap(({ atMillis }, row) => {
    if (atMillis === undefined) return []
    const time = format(atMillis)
    if (time === before) return []
    before = time
    const y = geometry.y(row)
    return [
      element("line", { class: "tick", x1: geometry.left - 14, y1: y, x2: geometry.x(lanes.length - 1) + 40, y2: y }),
      element("text", { class: "time muted", x: geometry.left - 20, y: y + 3.5 }, text(time))
    ]
  })
}

const drawLane = (name: string, lane: number, { downs }: Layout, geometry: Geometry.Geometry): string => {
  const x = geometry.x(lane)
  const { bottom, top } = geometry
  const parts: Array<string> = []
  let from = top
  for (const down of downs.filter((down) => down.lane === lane)) {
    const [y1, y2] = [geometry.y(down.fromRow), Math.min(bottom, geometry.y(down.toRow))]
    parts.push(element("line", { class: "lane", x1: x, y1: from, x2: x, y2: y1 }))
    parts.push(element("line", { class: "down", x1: x, y1, x2: x, y2 }))
    from = y2
  }
  if (from < bottom) parts.push(element("line", { class: "lane", x1: x, y1: from, x2: x, y2: bottom }))
  const tag = (y: number): string => {
    const shown = Geometry.fit(name, geometry.gap - 16, 12.5)
    const width = Math.max(40, Svg.textWidth(shown, 12.5) + 20)
    return (
      element("rect", { class: "pill", x: x - width / 2, y: y - 11, width, height: 22, rx: 11 }) +
      element("text", { class: "node", x, y: y + 4.5 }, text(shown))
    )
  }
  // A tall picture names its lanes at the bottom as well.
  return element("g", {}, ...parts, tag(top - 11), ...(geometry.isTall ? [tag(bottom + 11)] : []))
}

const drawBand = (band: Layout["bands"][number], geometry: Geometry.Geometry): string => {
  const y1 = geometry.y(band.fromRow) - geometry.rowHeight / 2
  const y2 = Math.min(geometry.bottom, geometry.y(band.toRow) - geometry.rowHeight / 2)
  const ofLane = new Map(band.parts.flatMap((part, index) => part.map((lane) => [lane, index] as const)))
  const columns = [...ofLane].map(([lane, part]) => {
    const [x1, x2] = geometry.column(lane)
    return element("rect", { class: `part${part % 2}`, x: x1, y: y1, width: x2 - x1, height: y2 - y1 })
  })
  return element("g", { class: "band" }, ...columns)
}

const drawRemarkLine = ({ remark, y }: Geometry.PlacedRemark, { left, width }: Geometry.Geometry): string => {
  if (remark.kind === "note") return ""
  const style = remark.kind === "broken" ? "broken-line" : "edge"
  return element("line", { class: style, x1: left - 14, y1: y, x2: width - 20, y2: y })
}

const remarkStyles: Readonly<Record<Remark["kind"], string>> = {
  broken: "broken-text",
  note: "muted remark-text halo",
  split: "edge-text",
  heal: "edge-text"
}

const drawRemark = ({ box, remark, shown }: Geometry.PlacedRemark): string => {
  const label = element(
    "text",
    { class: remarkStyles[remark.kind], x: box.x + 8, y: box.y + box.height / 2 + 4 },
    text(shown)
  )
  if (remark.kind === "note") return label
  const style = remark.kind === "broken" ? "broken-box" : "edge-box"
  return element("g", { class: remark.kind }, element("rect", { class: style, ...box, rx: 4 }), label)
}

const drawArrow = ({ arrow, at, from, path, via = from }: Geometry.PlacedArrow, colour: string): string => {
  const styles = ["message", `k${colour}`]
  if (arrow.isHighlighted) styles.push("matters")
  if (arrow.fate === "under way" || arrow.from === undefined) styles.push("underway")
  const { x, y } = at
  return element(
    "g",
    { class: `arrow ${arrow.fate.replace(" ", "-")}` },
    element("title", {}, text(tooltip(arrow))),
    ...(arrow.isHighlighted ? [element("path", { class: `glow k${colour}`, d: path })] : []),
    element("path", { class: styles.join(" "), d: path }),
    arrow.fate === "lost"
      ? element("path", { class: "cross", d: cross(x, y, 4.5) })
      : element("path", { class: `f${colour}`, d: head(via.x, via.y, x, y) })
  )
}

const tooltip = ({ fate, label, reason }: Arrow): string =>
  `${label}${fate === "received" ? "" : `: ${fate}`}${reason === undefined ? "" : `, ${reason}`}`

/** A head whose tip is at (x, y), as of a line from there. */
const head = (fromX: number, fromY: number, x: number, y: number): string => {
  const length = Math.hypot(x - fromX, y - fromY) || 1
  const [dx, dy] = [(x - fromX) / length, (y - fromY) / length]
  const corner = (side: number): string =>
    `${(x - dx * 9 - dy * side * 4).toFixed(1)} ${(y - dy * 9 + dx * side * 4).toFixed(1)}`
  return `M${x.toFixed(1)} ${y.toFixed(1)}L${corner(1)}L${corner(-1)}Z`
}

const cross = (x: number, y: number, size: number): string =>
  `M${x - size} ${y - size}L${x + size} ${y + size}M${x - size} ${y + size}L${x + size} ${y - size}`

const drawMark = (mark: Mark, geometry: Geometry.Geometry, colour: Colour): string => {
  const [x, y] = [geometry.x(mark.lane), geometry.y(mark.row)]
  const failed = mark.failure === undefined ? "" : element("path", { class: "cross", d: cross(x, y, 6) })
  return shape(mark, x, y, colour) + failed
}

const shape = (mark: Mark, x: number, y: number, colour: Colour): string => {
  switch (mark.kind) {
    case "message":
      return element("circle", {
        class: `f${colour(mark.messageKind!)}`,
        cx: x,
        cy: y,
        r: mark.isHighlighted ? 5.5 : 4
      })
    case "command":
      return element("path", { class: "ink", d: `M${x - 5} ${y}L${x} ${y - 5}L${x + 5} ${y}L${x} ${y + 5}Z` })
    case "timeout":
      return (
        element("circle", { class: "hollow", cx: x, cy: y, r: 5.5 }) +
        element("path", { class: "hollow", d: `M${x} ${y - 3.5}V${y}H${x + 3}` })
      )
    case "start":
    case "restart":
      return element("circle", { class: "hollow", cx: x, cy: y, r: 4 })
    case "crash":
      return element("path", { class: "cross", d: cross(x, y, 7) })
    case "stop":
      return element("path", { class: "hollow", d: `M${x - 7} ${y}H${x + 7}` })
    case "note":
    case "view":
      return element("rect", { class: "hollow", x: x - 4, y: y - 4, width: 8, height: 8 })
    case "send":
      return element("circle", { class: "ink", cx: x, cy: y, r: 3 })
  }
}

const drawLabel = ({ box, parts }: Geometry.Label, colour: Colour): string =>
  element(
    "text",
    { class: "label halo", x: box.x, y: box.y + 10.5 },
    ...parts.map(({ content, kind, style }) =>
      element("tspan", { class: kind === undefined ? style : `f${colour(kind)} ${style}`.trim() }, text(content))
    )
  )
