/**
 * What the model checker sees of each lock, as a table: `npm -w packages/mutex run interleavings`. Every interleaving of
 * nodes that enter, and may withdraw; where a node dies, a failure detector tells of it at any time, or nobody does.
 *
 * A row holds where exclusion, growing tokens and the card's guarantees do, and where nobody is stuck that could go on.
 */
import type { Checker } from "@troupe/model-checker"
import {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  LamportQueue,
  Maekawa,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
} from "@troupe/mutex"
import { exhaust } from "../test/locks.ts"
import { exhaustDying } from "../test/mortal.ts"

interface Row {
  readonly lock: string
  readonly nodes: number
  readonly entries: number
  /** Default: all. */
  readonly askers?: ReadonlyArray<string>
  readonly withdrawals?: number
  /** Who may die, one after the other. */
  readonly deaths?: ReadonlyArray<string>
  /** What an undetected crash is allowed to break. */
  readonly crash?: ReadonlyArray<string>
  readonly more?: string
  readonly bounds?: object
}

const locks: Readonly<Record<string, { readonly protocol: any; readonly card: any; readonly options: any }>> = {
  coordinator: { ...Coordinator, options: Coordinator.defaults },
  "token ring": { ...TokenRing, options: TokenRing.defaults },
  "Lamport's queue": { ...LamportQueue, options: undefined },
  "Ricart–Agrawala": { ...RicartAgrawala, options: undefined },
  "Carvalho–Roucairol": { ...CarvalhoRoucairol, options: undefined },
  "Suzuki–Kasami": { ...SuzukiKasami, options: undefined },
  Raymond: { ...Raymond, options: Raymond.defaults },
  Maekawa: { ...Maekawa, options: Maekawa.defaults },
  "Agrawal–El Abbadi": { ...AgrawalElAbbadi, options: undefined }
}

const starves = ["no starvation", "deadlock freedom"]
const fifo = { more: "FIFO", bounds: { network: { order: "fifo" } } }
/** Runs of a ring have no end: it is cut off at generations and passings on. */
const ring = {
  more: "2 generations, 3 passings on",
  bounds: {
    ends: false,
    within: ({ generation, last }: TokenRing.State) => generation <= 6 && last.hops <= 3
  }
}

const rows: ReadonlyArray<Row> = [
  { lock: "coordinator", nodes: 3, entries: 2, withdrawals: 1 },
  { lock: "coordinator", nodes: 4, entries: 1, withdrawals: 1 },
  { lock: "coordinator", nodes: 3, entries: 2, deaths: ["n2", "n3"] },
  { lock: "token ring", nodes: 3, entries: 1, withdrawals: 1, ...ring },
  { lock: "token ring", nodes: 3, entries: 1, askers: ["n1", "n2"], deaths: ["n1"], ...ring },
  { lock: "Lamport's queue", nodes: 3, entries: 1, ...fifo },
  { lock: "Lamport's queue", nodes: 3, entries: 1, askers: ["n1", "n2"], withdrawals: 1, ...fifo },
  { lock: "Lamport's queue", nodes: 4, entries: 1, askers: ["n1", "n3"], ...fifo },
  { lock: "Lamport's queue", nodes: 3, entries: 1, askers: ["n1", "n2"], deaths: ["n3"], ...fifo },
  { lock: "Ricart–Agrawala", nodes: 3, entries: 2 },
  { lock: "Ricart–Agrawala", nodes: 3, entries: 1, withdrawals: 1 },
  { lock: "Ricart–Agrawala", nodes: 4, entries: 1, askers: ["n1", "n2"] },
  { lock: "Ricart–Agrawala", nodes: 3, entries: 2, crash: starves },
  { lock: "Carvalho–Roucairol", nodes: 3, entries: 2, ...fifo },
  { lock: "Carvalho–Roucairol", nodes: 3, entries: 1, withdrawals: 1 },
  { lock: "Carvalho–Roucairol", nodes: 4, entries: 1, askers: ["n1", "n2", "n3"] },
  { lock: "Carvalho–Roucairol", nodes: 3, entries: 1, crash: starves },
  { lock: "Suzuki–Kasami", nodes: 3, entries: 2 },
  { lock: "Suzuki–Kasami", nodes: 3, entries: 1, withdrawals: 1 },
  { lock: "Suzuki–Kasami", nodes: 4, entries: 1, askers: ["n2", "n3", "n4"] },
  { lock: "Suzuki–Kasami", nodes: 3, entries: 1, askers: ["n2", "n3"], deaths: ["n1", "n2"] },
  { lock: "Suzuki–Kasami", nodes: 4, entries: 1, askers: ["n1", "n3"], deaths: ["n1"] },
  { lock: "Raymond", nodes: 3, entries: 2, withdrawals: 1 },
  { lock: "Raymond", nodes: 4, entries: 1, withdrawals: 1 },
  { lock: "Raymond", nodes: 5, entries: 1 },
  { lock: "Raymond", nodes: 3, entries: 1, crash: starves },
  { lock: "Maekawa", nodes: 3, entries: 2, ...fifo },
  { lock: "Maekawa", nodes: 3, entries: 1, withdrawals: 1 },
  { lock: "Maekawa", nodes: 4, entries: 1, askers: ["n1", "n2", "n3"] },
  { lock: "Maekawa", nodes: 3, entries: 1, crash: starves },
  { lock: "Agrawal–El Abbadi", nodes: 3, entries: 1, withdrawals: 1 },
  { lock: "Agrawal–El Abbadi", nodes: 4, entries: 1, askers: ["n2", "n4"], withdrawals: 1 },
  { lock: "Agrawal–El Abbadi", nodes: 3, entries: 1, askers: ["n2", "n3"], deaths: ["n1"] }
]

const check = ({ askers, bounds, crash, deaths, entries, lock, nodes, withdrawals }: Row): Promise<Checker.Report> => {
  const given = {
    nodes,
    entries,
    ...(askers === undefined ? {} : { askers }),
    ...(withdrawals === undefined ? {} : { withdrawals }),
    ...bounds
  }
  if (crash !== undefined) return exhaust(locks[lock]!, { ...given, crashes: { max: 1 }, stopAtViolation: false })
  return exhaustDying(locks[lock]!, { ...given, ...(deaths === undefined ? {} : { mortal: deaths }) })
}

const only = process.argv[2] ?? ""
console.log("| lock | N | entries each | askers | withdrawals each | crashes | network | states | seconds |")
console.log("|---|---|---|---|---|---|---|---|---|")
for (const row of rows.filter(({ lock }) => lock.includes(only))) {
  const startedAt = performance.now()
  const { complete, properties, uniqueStates } = await check(row)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const broken = properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
  const unexpected = broken.filter((name) => row.crash?.includes(name) !== true)
  if (!complete || unexpected.length > 0) process.exitCode = 1
  const crashes =
    row.deaths !== undefined
      ? `${row.deaths.join(", ")}: detected`
      : row.crash !== undefined
        ? "any one: starves whoever needs it"
        : "none"
  const cells = [
    row.lock,
    row.nodes,
    row.entries,
    row.askers?.length ?? row.nodes,
    row.withdrawals ?? 0,
    crashes,
    row.more ?? "any order",
    uniqueStates.toLocaleString("en"),
    `${seconds}${unexpected.length > 0 ? ` BROKEN: ${unexpected.join(", ")}` : complete ? "" : " NOT ALL SEEN"}`
  ]
  console.log(`| ${cells.join(" | ")} |`)
}
