/** `troupe list`: every algorithm, or the whole card of one. */
import type { Card } from "@troupe/actor"
import { Console, Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { algorithms } from "../algorithms.ts"
import type { Demonstration } from "../Demonstration.ts"
import { cut, print, type Screen, screen, wrap } from "../terminal/Screen.ts"
import { algorithm, find, json } from "./arguments.ts"

export const list = Command.make(
  "list",
  { algorithm: algorithm.pipe(Argument.optional), json },
  Effect.fnUntraced(function* (given) {
    const terminal = yield* screen
    if (Option.isSome(given.algorithm)) {
      const found = yield* find(given.algorithm.value)
      return yield* given.json ? Console.log(JSON.stringify(plain(found), null, 2)) : print(whole(found, terminal))
    }
    yield* given.json ? Console.log(JSON.stringify(algorithms.map(plain), null, 2)) : print(short(terminal))
  })
).pipe(
  Command.withDescription(
    "Shows every algorithm with its card: what it assumes, guarantees and costs, and where it breaks"
  ),
  Command.withExamples([
    { command: "troupe list", description: "A line for each algorithm" },
    { command: "troupe list election/bully", description: "The whole card of one" },
    { command: "troupe list --json", description: "All cards, as a JSON array" }
  ])
)

/** A card without its functions. */
const plain = ({ card, name }: Demonstration) => ({
  name,
  title: card.title,
  summary: card.summary,
  paper: card.paper,
  assumes: card.assumes,
  guarantees: card.guarantees.map(({ description, kind, name }) => ({ name, kind, description })),
  weaknesses: card.weaknesses,
  cost: {
    operation: card.cost.operation,
    best: card.cost.best.text,
    worst: card.cost.worst.text,
    background: card.cost.background ?? []
  }
})

/** "2(N−1)" or "N−1 to N²−1", messages an operation. */
const range = ({ best, worst }: Card.Card["cost"]): string =>
  best.text === worst.text ? best.text : `${best.text} to ${worst.text}`

const short = ({ canRedraw, style, width }: Screen): ReadonlyArray<string> => {
  const rows = algorithms.map(({ card, name }) => [
    name,
    `${card.title}, ${card.paper.year}`,
    `${range(card.cost)} an ${card.cost.operation}`.replace(/ an (?=[^aeiou])/, " a "),
    card.summary
  ])
  const header = ["algorithm", "", "messages", "what it does"]
  const widths = [0, 1, 2].map((column) => Math.max(...[header, ...rows].map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>): string => {
    const text = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
    return canRedraw ? cut(text, width - 1) : text
  }
  return [
    style.dim(line(header)),
    ...rows.map((row) => line(row).replace(row[0]!, style.bold(row[0]!))),
    "",
    style.dim("`troupe list <algorithm>` shows a whole card, `troupe run <algorithm>` the algorithm at work.")
  ]
}

const whole = ({ card, name }: Demonstration, { style, ...screen }: Screen): ReadonlyArray<string> => {
  const width = Math.min(100, screen.width)
  const label = 12
  const field = (name: string, text: string): ReadonlyArray<string> =>
    wrap(text, width - label).map((line, index) => style.dim((index === 0 ? name : "").padEnd(label)) + line)
  const entries = (title: string, items: ReadonlyArray<readonly [string, string, string]>): ReadonlyArray<string> => [
    "",
    style.bold(title),
    ...items.flatMap(([kind, name, text]) => [
      `  ${style.dim(kind.padEnd(label))}${name}`,
      ...wrap(text, width - label - 2).map((line) => `  ${" ".repeat(label)}${line}`)
    ])
  ]
  const { authors, title, venue, year } = card.paper
  const background = card.cost.background ?? []
  return [
    `${style.bold(card.title)}  ${style.dim(name)}`,
    "",
    ...wrap(card.summary, width),
    "",
    ...field("paper", `${authors}: ${title}. ${venue}, ${year}.`),
    ...field("assumes", assumptions(card.assumes)),
    ...field("bears", card.assumes.tolerates.join(", ")),
    ...field(
      "costs",
      `${range(card.cost)} ${range(card.cost) === "1" ? "message" : "messages"} per ${card.cost.operation}` +
        (background.length === 0 ? "" : `; besides, all the time: ${background.join(", ")}`)
    ),
    ...entries(
      "Guarantees",
      card.guarantees.map(({ description, kind, name }) => [kind, name, description])
    ),
    ...entries(
      "Known weaknesses",
      card.weaknesses.map(({ breaks, description, faults, name }) => [
        faults,
        name,
        breaks === undefined ? description : `${description} It costs "${breaks}".`
      ])
    ),
    "",
    style.bold("Try"),
    `  troupe run ${name}`,
    ...worthTrying(card).map((faults) => `  troupe simulate ${name} --seeds 1..100 --faults ${faults}`)
  ]
}

/** The worst that it bears, and the first that it does not. */
const worthTrying = (card: Card.Card): ReadonlyArray<Card.Faults> => {
  const weakness = card.weaknesses.find(({ breaks }) => breaks !== undefined)
  return [card.assumes.tolerates.at(-1), weakness?.faults].filter((faults) => faults !== undefined)
}

const assumptions = ({ channels, failures, timing }: Card.Card["assumes"]): string =>
  [
    `${timing} timing`,
    {
      none: "no node fails",
      "crash-stop": "nodes may crash, for good",
      "crash-recovery": "nodes may crash and come back",
      byzantine: "nodes may do anything"
    }[failures],
    `messages ${channels.loss ? "may be lost" : "are not lost"}, ${channels.duplication ? "may come twice" : "come once"}, ${
      channels.order === "any" ? "in any order" : "in the order of sending"
    }`
  ].join("; ")
