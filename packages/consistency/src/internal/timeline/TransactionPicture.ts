/** Transactions as boxes, a column for each session, with an arrow from each write to who read it. */
import { Svg } from "@troupe/trace"
import type { Options } from "../../Timeline.ts"
import type { Transaction, TransactionHistory } from "../../Transactions.ts"
import type { Culprit, Verdict } from "../../Verdict.ts"
import { connected, cycle, type Edge, readsFrom } from "./Cycle.ts"
import { headline, wrap } from "./Window.ts"

const { element, text } = Svg

const size = 11
const lineHeight = 16
const accessesShown = 8

interface Box {
  readonly transaction: Transaction
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Picture {
  readonly shown: ReadonlyArray<Transaction>
  readonly sessions: ReadonlyArray<number>
  readonly leftOut: number
  readonly culprit: Transaction | undefined
  readonly involved: ReadonlySet<Transaction>
  readonly reads: ReadonlyArray<Edge>
  readonly cycle: ReadonlyArray<Edge>
}

const transactionOf = (culprit: Culprit | undefined): Transaction | undefined =>
  culprit?._tag === "Transaction" ? culprit.transaction : undefined

const picture = ({ transactions }: TransactionHistory, verdict: Verdict | undefined, limit: number): Picture => {
  const violated = verdict?._tag === "Violated" ? verdict : undefined
  const culprit = transactionOf(violated?.culprit)
  const involved = new Set((violated?.involved ?? []).flatMap((one) => transactionOf(one) ?? []))
  if (culprit !== undefined) involved.add(culprit)
  const about = connected(transactions, [...involved])
  // Of a refusal what it is about; else the first ones.
  const shown = (about.length > 0 ? about : transactions).slice(0, limit)
  return {
    shown,
    sessions: [...new Set(shown.map(({ session }) => session))].sort((a, b) => a - b),
    leftOut: transactions.length - shown.length,
    culprit,
    involved,
    reads: readsFrom(shown),
    cycle: about.length > 0 ? cycle(shown) : []
  }
}

/** Writers above their readers, as far as there is no cycle; each session in its order. */
const levels = ({ reads, shown }: Picture): ReadonlyMap<Transaction, number> => {
  const level = new Map<Transaction, number>()
  const waiting = [...shown]
  while (waiting.length > 0) {
    const isFirst = (one: Transaction): boolean =>
      !waiting.some(({ id, session }) => session === one.session && id < one.id)
    const waits = (one: Transaction): boolean => reads.some(({ from, to }) => to === one && waiting.includes(from))
    const next = waiting.find((one) => isFirst(one) && !waits(one)) ?? waiting.find(isFirst)!
    waiting.splice(waiting.indexOf(next), 1)
    const above = shown.filter(
      (other) =>
        level.has(other) &&
        ((other.session === next.session && other.id < next.id) ||
          reads.some(({ from, to }) => from === other && to === next && from.session !== next.session))
    )
    level.set(
      next,
      above.reduce((most, other) => Math.max(most, level.get(other)! + 1), 0)
    )
  }
  return level
}

const linesOf = ({ accesses }: Transaction): ReadonlyArray<string> => {
  const lines = accesses.slice(0, accessesShown).map(({ key, kind, value }) => {
    const line = `${kind} ${key} ${kind === "read" ? "→" : "←"} ${value === null ? "nothing" : JSON.stringify(value)}`
    const clean = [...line.replace(/[\s\p{Cc}]+/gu, " ").toWellFormed()]
    return clean.length <= 26 ? clean.join("") : `${clean.slice(0, 25).join("")}…`
  })
  return accesses.length <= accessesShown ? lines : [...lines, `and ${accesses.length - accessesShown} more`]
}

const nameOf = ({ id, status }: Transaction): string => (status === "committed" ? `T${id}` : `T${id} ${status}`)

const boxesOf = (of: Picture): ReadonlyMap<Transaction, Box> => {
  const { sessions, shown } = of
  const level = levels(of)
  const heights: Array<number> = []
  for (const transaction of shown) {
    const at = level.get(transaction)!
    heights[at] = Math.max(heights[at] ?? 0, 30 + linesOf(transaction).length * lineHeight)
  }
  const tops: Array<number> = []
  heights.forEach((_, at) => (tops[at] = at === 0 ? 108 : tops[at - 1]! + heights[at - 1]! + 34))
  const widest = shown.flatMap((one) => [nameOf(one), ...linesOf(one)])
  const width = Math.max(120, ...widest.map((line) => Svg.textWidth(line, size) + 24))
  return new Map(
    shown.map((transaction) => [
      transaction,
      {
        transaction,
        x: 20 + sessions.indexOf(transaction.session) * (width + 90),
        y: tops[level.get(transaction)!]!,
        width,
        height: 30 + linesOf(transaction).length * lineHeight - 6
      }
    ])
  )
}

/** A picture of transactions as an SVG file. */
export const transactionsSvg = (
  history: TransactionHistory,
  options: Options & { readonly theme?: Svg.Theme } = {}
): string => {
  const { limit = 40, theme = "auto", verdict } = options
  const of = picture(history, verdict, Math.max(1, limit))
  const boxes = boxesOf(of)
  const all = [...boxes.values()]
  const width = Math.max(520, ...all.map((box) => box.x + box.width + 60))
  const bottom = Math.max(120, ...all.map((box) => box.y + box.height))
  const reason = verdict === undefined || verdict._tag === "Ok" ? "" : verdict.reason
  const caption = wrap(reason, Math.floor((width - 40) / (size * 0.61)))
  const isInCycle = (edge: Edge): boolean =>
    of.cycle.some(({ from, kind, to }) => from === edge.from && to === edge.to && kind === edge.kind)
  const title = options.title ?? headline(verdict) ?? "transactions"
  return Svg.document(
    {
      width,
      height: bottom + 36 + caption.length * 16,
      title,
      description: `Transactions by session: ${summary(of)}. ${reason}`.trim(),
      css: Svg.stylesheet(theme, [...Svg.baseRules, ...rules])
    },
    element("text", { class: "title", x: 20, y: 30 }, text(title)),
    element("text", { class: "muted", x: 20, y: 50 }, text(summary(of))),
    ...of.sessions.map((session) => {
      const box = all.find(({ transaction }) => transaction.session === session)!
      return element("text", { class: "session muted", x: box.x, y: 90 }, text(`session ${session}`))
    }),
    // An arrow that passes a box passes behind it.
    ...of.reads.filter((edge) => !isInCycle(edge)).map((edge) => arrow(edge, boxes, "reads")),
    ...of.cycle.map((edge) => arrow(edge, boxes, "cycle")),
    ...all.map((box) => drawBox(box, of)),
    ...caption.map((line, index) => element("text", { class: "wrong", x: 20, y: bottom + 32 + index * 16 }, text(line)))
  )
}

const rules: ReadonlyArray<Svg.Rule> = [
  ["text", `font-size:${size}px`, `font-size:${size}px`],
  ["text.title", "font-size:15px;font-weight:600", "font-size:15px;font-weight:600"],
  ["text.session,text.name", "font-weight:700", "font-weight:700"],
  [".box", "fill:#F6F8FA;stroke:#8C96A0;stroke-width:1.2", "fill:#161D26;stroke:#6B7682"],
  [".box.culprit", "fill:#FDECEE;stroke:#C6152B;stroke-width:2", "fill:#3A171C;stroke:#FF7B72"],
  [".reads", "fill:none;stroke:#0067A8;stroke-width:1.4", "stroke:#5CB8F5"],
  [".reads-head", "fill:#0067A8", "fill:#5CB8F5"],
  [".cycle", "fill:none;stroke:#C6152B;stroke-width:2.2", "stroke:#FF7B72"],
  [".implied", "stroke-dasharray:6 4", "stroke-dasharray:6 4"],
  [".cycle-head", "fill:#C6152B", "fill:#FF7B72"]
]

const summary = ({ cycle, leftOut, sessions, shown }: Picture): string =>
  [
    `${shown.length} ${shown.length === 1 ? "transaction" : "transactions"} of ${sessions.length} ${sessions.length === 1 ? "session" : "sessions"}`,
    leftOut === 0 ? "" : `; ${leftOut} more ${leftOut === 1 ? "is" : "are"} left out`,
    cycle.length === 0 ? "" : `; red: ${cycleText(cycle)}`
  ].join("")

/** "T1 → T2 → T1". */
const cycleText = (cycle: ReadonlyArray<Edge>): string =>
  [...cycle.map(({ from }) => `T${from.id}`), `T${cycle[0]!.from.id}`].join(" → ")

const drawBox = ({ height, transaction, width, x, y }: Box, { culprit }: Picture): string => {
  const style = transaction === culprit ? "box culprit" : "box"
  return element(
    "g",
    { class: "transaction" },
    element("rect", { class: style, x, y, width, height, rx: 6 }),
    element("text", { class: "name", x: x + 10, y: y + 16 }, text(nameOf(transaction))),
    ...linesOf(transaction).map((line, index) =>
      element("text", { class: "label", x: x + 10, y: y + 34 + index * lineHeight }, text(line))
    )
  )
}

/** From side to side of two boxes, at the lines of the write and the read; within a session down, or back up beside it. */
const arrow = (edge: Edge, boxes: ReadonlyMap<Transaction, Box>, style: "reads" | "cycle"): string => {
  const [a, b] = [boxes.get(edge.from)!, boxes.get(edge.to)!]
  const yOf = (box: Box, access: number | undefined): number =>
    access === undefined ? box.y + 12 : box.y + 30 + Math.min(access, accessesShown) * lineHeight
  const isSame = a.x === b.x
  if (isSame && edge.kind === "session" && a.y < b.y) {
    const x = a.x + 24
    return path(`M${x} ${a.y + a.height}V${b.y - 8}`, { x, y: b.y - 1 }, { x: 0, y: 1 }, style, edge)
  }
  const toRight = b.x > a.x || isSame
  const from = { x: toRight ? a.x + a.width : a.x, y: yOf(a, edge.write) }
  const to = { x: isSame || !toRight ? b.x + b.width + 1 : b.x - 1, y: yOf(b, edge.read) }
  const bend = isSame ? 44 : Math.max(40, Math.abs(to.x - from.x) / 2)
  const way = isSame || !toRight ? -1 : 1
  const c1 = from.x + (toRight ? bend : -bend)
  const c2 = to.x - way * bend
  return path(
    `M${from.x} ${from.y}C${c1} ${from.y} ${c2} ${to.y} ${to.x - way * 8} ${to.y}`,
    to,
    { x: way, y: 0 },
    style,
    edge
  )
}

const path = (
  d: string,
  tip: { readonly x: number; readonly y: number },
  way: { readonly x: number; readonly y: number },
  style: "reads" | "cycle",
  { from, kind, to }: Edge
): string => {
  const base = { x: tip.x - way.x * 9, y: tip.y - way.y * 9 }
  const corner = (side: number): string => `${base.x - way.y * side * 4} ${base.y + way.x * side * 4}`
  const isImplied = kind === "before" || kind === "overwrites"
  const what = {
    session: "then, in its session,",
    reads: "is read by",
    overwrites: "is overwritten by",
    before: "is before"
  }
  return element(
    "g",
    { class: "edge" },
    element("title", {}, text(`T${from.id} ${what[kind]} T${to.id}`)),
    element("path", { class: `${style}${isImplied ? " implied" : ""}`, d }),
    element("path", { class: `${style}-head`, d: `M${tip.x} ${tip.y}L${corner(1)}L${corner(-1)}Z` })
  )
}

/** For a terminal: a line for each transaction, with whom it read from. */
export const transactionsTerminal = (
  history: TransactionHistory,
  options: Options & { readonly width?: number; readonly color?: boolean } = {}
): string => {
  const { color = false, limit = 40, verdict } = options
  const width = Math.max(40, options.width ?? 100)
  const of = picture(history, verdict, Math.max(1, limit))
  const paint = (content: string, style: string): string => (color ? `\u001b[${style}m${content}\u001b[0m` : content)
  const lines = of.sessions.flatMap((session) => [
    paint(`session ${session}`, "2"),
    ...of.shown
      .filter((one) => one.session === session)
      .flatMap((one) => {
        const isCulprit = one === of.culprit
        const head = `${isCulprit ? "✗" : "│"} ${nameOf(one)}`
        const accesses = linesOf(one).map((line, index) => {
          const source = of.reads.find(({ read, to }) => to === one && read === index)?.from
          return source === undefined ? line : `${line} (of T${source.id})`
        })
        return wrap(`${head}: ${accesses.join(", ")}`, width - 4).map((line, index) =>
          isCulprit ? paint(`  ${index === 0 ? "" : "│   "}${line}`, "1;31") : `  ${index === 0 ? "" : "│   "}${line}`
        )
      })
  ])
  const title = options.title ?? headline(verdict)
  const reason = verdict === undefined || verdict._tag === "Ok" ? "" : verdict.reason
  return `${[
    ...(title === undefined ? [] : [paint(title, "1")]),
    ...wrap(summary(of), width),
    "",
    ...lines,
    ...(of.cycle.length === 0 ? [] : ["", ...of.cycle.map((edge) => paint(told(edge), "31"))]),
    ...(reason === "" ? [] : ["", ...wrap(reason, width)])
  ].join("\n")}\n`
}

const told = ({ from, kind, to }: Edge): string => {
  const how = {
    session: "comes before it in its session",
    reads: "is what it read from",
    overwrites: "read what it overwrites, so comes before it",
    before: "must come before it, as a reader of both shows"
  }
  return `  T${from.id} ──▶ T${to.id}: T${from.id} ${how[kind]}`
}
