import { type Arrow, layout, type Mark, type Remark, timeFormat } from "./internal/Layout.ts"
import type { Options } from "./SpaceTime.ts"
import type { Trace } from "./Trace.ts"

/** A sequence diagram. Mermaid draws an arrow level, where the message is received; a lost one ends in a cross. */
export const mermaid = (trace: Trace, options: Options = {}): string => {
  const picture = layout(trace, options, false)
  const format = timeFormat(picture)
  const name = (lane: number): string => (picture.lanes[lane] === undefined ? "x" : `p${lane}`)
  const all = picture.lanes.length === 1 ? name(0) : `${name(0)},${name(picture.lanes.length - 1)}`
  const lines = new Lines(picture.rows.length)
  for (const arrow of picture.arrows) lines.add(arrow.to.row, ...ofArrow(arrow, name))
  for (const mark of picture.marks) lines.add(mark.row, ...ofMark(mark, name))
  for (const remark of picture.remarks) lines.add(remark.row, ofRemark(remark, all, picture.rows[remark.row], format))
  return [
    "sequenceDiagram",
    ...picture.lanes.map((node, lane) => `  participant ${name(lane)} as ${clean(node)}`),
    ...lines.all().map((line) => `  ${line}`),
    ""
  ].join("\n")
}

class Lines {
  private readonly rows: Array<Array<string>>

  constructor(rows: number) {
    this.rows = Array.from({ length: rows + 1 }, () => [])
  }

  add(row: number, ...lines: ReadonlyArray<string>): void {
    this.rows[row]!.push(...lines)
  }

  all(): ReadonlyArray<string> {
    return this.rows.flat()
  }
}

const ofArrow = (arrow: Arrow, name: (lane: number) => string): ReadonlyArray<string> => {
  if (arrow.sender === undefined || arrow.fate === "under way") return []
  const head = arrow.fate === "lost" ? "--x" : arrow.isHighlighted ? "->>" : "-)"
  const star = arrow.isHighlighted ? "★ " : ""
  // Mermaid has no lane for a node that is not one.
  const to = name(arrow.to.lane) === "x" ? name(arrow.sender) : name(arrow.to.lane)
  return [`${name(arrow.sender)}${head}${to}: ${star}${clean(arrow.label)}`]
}

const ofMark = (mark: Mark, name: (lane: number) => string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const note = (text: string): number => lines.push(`Note over ${name(mark.lane)}: ${clean(text)}`)
  if (mark.kind === "crash") note("✗ crashes")
  else if (mark.kind === "timeout") note(`timeout ${mark.text}`)
  else if (mark.kind !== "message" && mark.text !== "") note(mark.text)
  for (const event of mark.emits) note(`▸ ${event}`)
  if (mark.failure !== undefined) note(`✗ ${mark.failure}`)
  return lines
}

const ofRemark = (
  { kind, text }: Remark,
  over: string,
  row: { readonly atMillis: number | undefined } | undefined,
  format: (millis: number) => string
): string => {
  const time = row?.atMillis === undefined ? "" : ` at ${format(row.atMillis)}`
  return `Note over ${over}: ${clean(kind === "broken" ? `✗ ${text}${time}` : text)}`
}

/** Mermaid ends a statement at a semicolon, and takes # for the beginning of an entity. */
const clean = (text: string): string =>
  text.replace(/[\s\p{Cc}]+/gu, " ").replace(/[#;<>%{}]/g, (character) => `#${character.codePointAt(0)};`)
