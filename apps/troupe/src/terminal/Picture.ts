/** A run in a picture: who leads, who holds, who waits, and how far it is. A function of what was seen so far. */
import type { Role } from "../Demonstration.ts"
import type { Tally } from "../Tally.ts"
import type { Run } from "../worlds/World.ts"
import { bar, count, cut, number, type Screen, type Style } from "./Screen.ts"

const marks: Readonly<Record<Role, string>> = {
  leads: "★",
  holds: "●",
  has: "■",
  waits: "…",
  suspects: "!",
  dead: "✗",
  rests: "·"
}

const paint = (style: Style, role: Role): ((text: string) => string) =>
  ({
    leads: style.yellow,
    holds: style.green,
    has: style.green,
    waits: (text: string) => text,
    suspects: style.yellow,
    dead: style.red,
    rests: style.dim
  })[role]

export const picture = (
  { demonstration, entries, nodes }: Run,
  tally: Tally,
  title: string,
  screen: Screen
): ReadonlyArray<string> => {
  const total = demonstration.operations(entries)
  const { operation } = demonstration
  const progress = `${number(tally.operations)} of ${count(total, operation)}${
    operation === "message" ? "" : `   ${count(tally.messages, "message")}`
  }`
  const barWidth = Math.min(30, screen.width - progress.length - 6)
  return [
    title,
    "",
    ...stage(nodes, tally, screen),
    "",
    cut(`  ${barWidth > 4 ? `${bar(tally.operations / total, barWidth)}  ` : ""}${progress}`, screen.width - 1)
  ]
}

/** A line for each node, or several nodes in a line, or a mark for each: whichever fits. */
const stage = (nodes: ReadonlyArray<string>, tally: Tally, screen: Screen): ReadonlyArray<string> => {
  const height = Math.max(4, screen.height - 8)
  const width = longest(nodes)
  const cells = nodes.map((node) => {
    const { detail, role } = tally.status.get(node) ?? { role: "rests" as const, detail: "" }
    return { role, mark: marks[role], text: `${node.padEnd(width)} ${marks[role]} ${words(role, detail)}` }
  })
  const cellWidth = 34
  const columns = nodes.length <= height ? 1 : Math.floor((screen.width - 2) / cellWidth)
  const rows = Math.ceil(nodes.length / Math.max(1, columns))
  if (columns < 1 || rows > height) return overview(cells, nodes, tally, screen)
  return Array.from({ length: rows }, (_, row) => {
    const room = columns === 1 ? screen.width - 3 : cellWidth - 2
    const line = cells.filter((_, index) => index % rows === row)
    return `  ${line
      .map(({ role, text }) => paint(screen.style, role)(cut(text, room).padEnd(room)))
      .join("  ")
      .trimEnd()}`
  })
}

/** "holds token 12"; of a node that rests, or has something, just what else there is to say. */
const words = (role: Role, detail: string): string =>
  detail === "" ? role : role === "rests" || role === "has" ? detail : `${role} ${detail}`

const overview = (
  cells: ReadonlyArray<{ readonly role: Role; readonly mark: string }>,
  nodes: ReadonlyArray<string>,
  tally: Tally,
  screen: Screen
): ReadonlyArray<string> => {
  const perLine = Math.max(10, Math.min(100, screen.width - 4))
  const room = Math.max(1, screen.height - 11) * perLine
  const lines: Array<string> = []
  for (let from = 0; from < Math.min(cells.length, room); from += perLine) {
    lines.push(
      `  ${cells
        .slice(from, from + perLine)
        .map(({ mark, role }) => paint(screen.style, role)(mark))
        .join("")}`
    )
  }
  if (cells.length > room) lines.push(`  and ${number(cells.length - room)} more`)
  const legend = Object.entries(marks)
    .map(([role, mark]) => `${mark} ${role}`)
    .join("  ")
  const fit = (text: string): string => cut(`  ${text}`, screen.width - 1)
  return [...lines, fit(legend), "", fit(summary(nodes, tally))]
}

const longest = (nodes: ReadonlyArray<string>): number => Math.max(...nodes.map(({ length }) => length))

/** "n3 holds (token 12), 4 wait". */
export const summary = (nodes: ReadonlyArray<string>, tally: Tally): string => {
  const parts: Array<string> = []
  if (tally.spreads) {
    const { deliveries, sent, toAllMillis } = tally.spread
    return `${number(deliveries)} of ${number(sent * nodes.length)} have come, ${number(toAllMillis.length)} of ${number(sent)} to all`
  }
  let waiting = 0
  let suspecting = 0
  for (const node of nodes) {
    const status = tally.status.get(node)
    if (status?.role === "waits") waiting++
    if (status?.role === "suspects") suspecting++
    if (status?.role === "dead") parts.push(`${node} is dead`)
    if (status?.role === "leads" || status?.role === "holds") parts.push(`${node} ${status.role} (${status.detail})`)
  }
  if (waiting > 0) parts.push(`${number(waiting)} ${waiting === 1 ? "waits" : "wait"}`)
  if (suspecting > 0) parts.push(`${number(suspecting)} ${suspecting === 1 ? "suspects" : "suspect"} others`)
  return parts.length === 0 ? "all rest" : parts.join(", ")
}
