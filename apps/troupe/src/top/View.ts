/** What `troupe top` shows: a function of what was last seen of each system. */
import type * as Inspector from "@troupe/actor/Inspector"
import { count, cut, fit, number, plain, type Screen, type Style } from "../terminal/Screen.ts"

/** One system, as it was seen, and seen before that. */
export interface Seen {
  readonly address: string
  readonly now: Inspector.Snapshot | undefined
  readonly before: Inspector.Snapshot | undefined
  /** Why it was not seen this time. */
  readonly problem: string | undefined
}

export interface Row extends Inspector.Actor {
  /** Its system's node, or where that is reached. */
  readonly at: string
  /** Messages a second, and the part of the time in which it was busy, since the look before. */
  readonly perSecond: number | null
  readonly busyPart: number | null
}

const placeOf = ({ address, now }: Seen): string => plain(now?.node ?? address)

export const rowsOf = (all: ReadonlyArray<Seen>, order: Inspector.Order): ReadonlyArray<Row> =>
  all
    .flatMap((seen) => {
      const earlier = new Map(seen.before?.actors.map((actor) => [actor.id, actor]))
      const millis = (seen.now?.uptimeMillis ?? 0) - (seen.before?.uptimeMillis ?? 0)
      return (seen.now?.actors ?? []).map((actor): Row => {
        const before = millis > 0 && seen.problem === undefined ? earlier.get(actor.id) : undefined
        const gained = (key: "processed" | "busyMillis"): number | null =>
          typeof actor[key] === "number" && typeof before?.[key] === "number" ? actor[key] - before[key] : null
        const processed = gained("processed")
        const busy = gained("busyMillis")
        return {
          ...actor,
          at: placeOf(seen),
          perSecond: processed === null ? null : (processed * 1000) / millis,
          busyPart: busy === null ? null : busy / millis
        }
      })
    })
    .toSorted((a, b) => {
      const [one, other] = [rankOf[order](a), rankOf[order](b)]
      return other[0] - one[0] || other[1] - one[1]
    })

/** What there was in all is no rate: who has none comes after those that have one. */
const rankOf: Readonly<Record<Inspector.Order, (row: Row) => readonly [number, number]>> = {
  mailbox: ({ mailbox }) => [mailbox, 0],
  processed: ({ perSecond, processed }) => [perSecond ?? -1, processed ?? 0],
  restarts: ({ restarts }) => [restarts, 0],
  busy: ({ busyMillis, busyPart }) => [busyPart ?? -1, busyMillis ?? 0]
}

/** The whole picture, no line of which is wider than the screen. */
export const picture = (
  all: ReadonlyArray<Seen>,
  order: Inspector.Order,
  screen: Screen,
  rowsWanted?: number
): ReadonlyArray<string> => {
  const { style } = screen
  const width = screen.width - 1
  const top = all.flatMap((seen) => headOf(seen, width, style))
  const bottom = letters(all, width).map(style.dim)
  const room = rowsWanted ?? Math.max(1, screen.height - top.length - bottom.length - 4)
  return [...top, "", ...table(rowsOf(all, order).slice(0, room), order, all.length > 1, width, style), ...bottom]
}

const headOf = (seen: Seen, width: number, style: Style): ReadonlyArray<string> => {
  const { now, problem } = seen
  const lines: Array<string> = []
  if (now !== undefined) {
    const { alive, asksOpen, counters, longestMailbox, rates, system, uptimeMillis, waiting } = now
    const title = [
      `${plain(system)} · ${placeOf(seen)}`,
      `up ${duration(uptimeMillis)}`,
      count(alive, "actor"),
      count(counters.restarts, "restart")
    ].join("   ")
    const what = [
      `${number(Math.round(rates.processed))} messages/s`,
      `${number(Math.round(rates.deadLetters))} dead letters/s`,
      `${number(asksOpen)} asks open`,
      `${number(waiting)} waiting (longest mailbox ${number(longestMailbox)})`
    ].join("   ")
    const [first, second] = problem === undefined ? [style.bold, same] : [style.dim, style.dim]
    lines.push(first(cut(title, width)), second(cut(what, width)))
    if (!now.observed)
      lines.push(style.dim(cut("It is not Observed: what its actors have processed is not known.", width)))
  } else if (problem === undefined) lines.push(style.dim(cut(`${seen.address} has not answered yet.`, width)))
  return problem === undefined ? lines : [...lines, style.red(cut(plain(problem), width))]
}

const same = (text: string): string => text

/** "1:02:03". */
const duration = (millis: number): string => {
  const seconds = Math.floor(millis / 1000)
  const two = (value: number): string => String(value).padStart(2, "0")
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

interface Column {
  readonly title: string
  readonly width: number
  readonly order?: Inspector.Order
  /** Left out where names would be cut for it. */
  readonly isSpare?: boolean
  readonly text: (row: Row) => string
}

const unknown = "-"

const rounded = (value: number | null): string => (value === null ? unknown : number(Math.round(value)))

const columns: ReadonlyArray<Column> = [
  { title: "MAILBOX", width: 9, order: "mailbox", text: ({ mailbox }) => number(mailbox) },
  { title: "PROC/S", width: 10, order: "processed", text: ({ perSecond }) => rounded(perSecond) },
  { title: "PROCESSED", width: 13, isSpare: true, text: ({ processed }) => rounded(processed) },
  {
    ...{ title: "BUSY", width: 8, order: "busy" },
    text: ({ busyPart }) => (busyPart === null ? unknown : `${(busyPart * 100).toFixed(1)}%`)
  },
  { title: "RESTARTS", width: 9, order: "restarts", text: ({ restarts }) => number(restarts) }
]

const lifeWidth = 12

/** Columns for who an actor is, and what it understands. */
const roomy = 30

/** Columns that suffice for one of the two. */
const narrow = 24

/** Of figures, and of an actor's life. */
const widthOf = (shown: ReadonlyArray<Column>): number => shown.reduce((sum, { width }) => sum + width, lifeWidth)

const table = (
  rows: ReadonlyArray<Row>,
  order: Inspector.Order,
  hasPlaces: boolean,
  width: number,
  style: Style
): ReadonlyArray<string> => {
  const isTight = width - widthOf(columns) < roomy
  const shown = isTight ? columns.filter(({ isSpare }) => isSpare !== true) : columns
  const words = Math.max(16, width - widthOf(shown))
  const line = (path: string, messages: string, life: string, right: (column: Column) => string): string => {
    const isAlone = words < narrow || (hasPlaces && isTight)
    const first = isAlone ? words : Math.floor(words * 0.62)
    const left = `${fit(plain(path), first - 1)} ${first < words ? `${fit(plain(messages), words - first - 1)} ` : ""}`
    return cut(
      `${left}${fit(plain(life), lifeWidth)}${shown.map((column) => right(column).padStart(column.width)).join("")}`,
      width
    )
  }
  const title = ({ order: own, title }: Column): string => (own === order ? `▾${title}` : title)
  return [
    style.bold(line("ACTOR", "MESSAGES", "LIFE", title)),
    ...rows.map((row) => {
      const path = hasPlaces ? `${row.at}:${row.path}` : row.path
      return paint(style, row)(line(path, row.messages, row.life, ({ text }) => text(row)))
    })
  ]
}

const paint = (style: Style, { capacity, life, mailbox, perSecond, restarts }: Row): ((text: string) => string) => {
  if (mailbox >= capacity * 0.8) return style.red
  if (restarts > 0 || life === "starting" || life === "stopping") return style.yellow
  return mailbox === 0 && life === "idle" && (perSecond ?? 0) === 0 ? style.dim : (text) => text
}

/** The latest three. */
const letters = (all: ReadonlyArray<Seen>, width: number): ReadonlyArray<string> => {
  const latest = all
    .flatMap(({ now }) => now?.deadLetters ?? [])
    .toSorted((a, b) => a.agoMillis - b.agoMillis)
    .slice(0, 3)
  if (latest.length === 0) return []
  const lines = latest.map(
    ({ actor, agoMillis, message, reason }) =>
      `dead letter ${Math.round(agoMillis / 1000)} s ago: ${plain(message)} for ${plain(actor)}, ${plain(reason)}`
  )
  return ["", ...lines.map((line) => cut(line, width))]
}
