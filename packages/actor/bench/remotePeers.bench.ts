/**
 * Asks between two processes over TCP on loopback, beside those of others: effect/rpc, Moleculer, comedy, and Erlang/OTP
 * where `escript` is found. Each peer has two processes of its own, one that answers and one that asks: an integer, to be
 * answered with the next one. A framed echo on a bare socket is the floor.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/remotePeers.bench.ts --help
 *
 * Rates are of right answers: where there are fewer than were intended, there is no rate. All take turns; medians of the
 * rounds. Beside a rate is what an answer takes of both processes' time, which says more where others use the machine too.
 * What a peer does less, or more, is said beside its figures: nobody but effect/rpc and we check what came against a type,
 * and nobody but Erlang's `gen_server:call` and we give up on a question after a while.
 */
import { availableParallelism, loadavg } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs, styleText } from "node:util"
import { median } from "./asking.ts"
import { comedy } from "./remotePeers/comedy.ts"
import { effectRpc } from "./remotePeers/effectRpc.ts"
import { framed } from "./remotePeers/framed.ts"
import { moleculer } from "./remotePeers/moleculer.ts"
import { otp, otpNote } from "./remotePeers/otp.ts"
import type { RemotePeer } from "./remotePeers/RemotePeer.ts"
import { obey, type Side, start } from "./remotePeers/Side.ts"
import { troupe } from "./remotePeers/troupe.ts"

const usage = `Asks between two processes, beside those of others.

  --rounds N    how often each takes its turn, after one to warm up (default: 5)
  --only TEXT   those alone whose name has TEXT in it, and ours
  --json        a line of JSON in place of the table`

const { help, json, only, peer, side, where, ...given } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    /** Of a process: its peer, which side of it, and what it has to know. */
    peer: { type: "string" },
    side: { type: "string" },
    where: { type: "string", default: "null" }
  }
}).values

/** How many it takes to warm up; what is measured are as many as take about a second then. */
const depths = [
  { depth: 1, warmUp: 2_000 },
  { depth: 100, warmUp: 20_000 }
]

const ours = "Troupe"

const known: Readonly<Record<string, RemotePeer>> = {
  "framed echo": framed,
  [ours]: troupe,
  "effect/rpc, schema-binary": effectRpc("schema-binary"),
  "effect/rpc, ndjson": effectRpc("ndjson"),
  Moleculer: moleculer,
  comedy
}
const erlang = [
  { name: "Erlang/OTP, gen_server:call", way: "call" },
  { name: "Erlang/OTP, bare messages", way: "bare" }
] as const

// ----------------------------------------------------------------------------------------------------- in its processes

if (peer !== undefined) {
  const { answer, connect } = known[peer]!
  if (side === "answer") await obey(await answer())
  else await obey(true, await connect(JSON.parse(where)))
  process.exit()
}

// -------------------------------------------------------------------------------------------------------- who measures

interface Pair {
  readonly name: string
  readonly note: string
  readonly sides: readonly [answers: Side, asks: Side]
}

/** CPU is of both processes; unknown where the system does not tell. */
interface Turn {
  readonly perSecond: number
  readonly micros: number | undefined
}

const inNode = (name: string, side: string, where: unknown): Promise<Side> => {
  const args = [fileURLToPath(import.meta.url), "--peer", name, "--side", side, "--where", JSON.stringify(where)]
  return start(name, process.execPath, [...process.execArgv, ...args])
}

const wanted = (name: string): boolean => name === ours || name.toLowerCase().includes(only.toLowerCase())

/** All that are wanted, and what is said of those that are not there. */
const startAll = async () => {
  const pairs: Array<Pair> = []
  const missing: Record<string, string> = {}
  for (const name of Object.keys(known).filter(wanted)) {
    const answers = await inNode(name, "answer", null)
    pairs.push({ name, note: known[name]!.note, sides: [answers, await inNode(name, "ask", answers.begun)] })
  }
  for (const { name, way } of erlang.filter((each) => wanted(each.name))) {
    const sides = await otp(way)
    if (sides === undefined) missing[name] = "left out: `escript` is not installed"
    else pairs.push({ name, note: `${otpNote(way)} OTP ${sides[0].begun}.`, sides })
  }
  return { pairs, missing }
}

const cpu = async (sides: Pair["sides"]): Promise<number | undefined> => {
  const [answers, asks]: ReadonlyArray<number | null> = await Promise.all(sides.map(({ say }) => say("cpu")))
  return typeof answers === "number" && typeof asks === "number" ? answers + asks : undefined
}

const asked = async ({ name, sides }: Pair, depth: number, count: number): Promise<number> => {
  const { right, seconds } = await sides[1].say(`ask ${depth} ${count}`)
  if (right !== count) throw new Error(`${name}: ${right} answers were right of ${count}: that is no rate`)
  return count / seconds
}

const turn = async (pair: Pair, depth: number, warmUp: number): Promise<Turn> => {
  // While others had their turn, these processes have grown cold.
  const count = Math.max(warmUp, Math.round(await asked(pair, depth, warmUp)))
  const before = await cpu(pair.sides)
  const perSecond = await asked(pair, depth, count)
  const after = await cpu(pair.sides)
  return { perSecond, micros: before === undefined || after === undefined ? undefined : (after - before) / count }
}

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

const keyOf = (name: string, depth: number): string => `${name}, ${depth} in flight`

const measure = async (pairs: ReadonlyArray<Pair>, rounds: number) => {
  const found = new Map<string, Array<Turn>>()
  // Interleaved, so that what else the machine does befalls all of them.
  for (let round = 0; round <= rounds; round++) {
    for (const { depth, warmUp } of depths) {
      for (const pair of pairs) {
        const key = keyOf(pair.name, depth)
        progress(`${round === 0 ? "warming up" : `round ${round} of ${rounds}`}: ${key}`)
        const one = await turn(pair, depth, warmUp)
        if (round > 0) found.set(key, [...(found.get(key) ?? []), one])
      }
    }
  }
  progress("")
  return found
}

// -------------------------------------------------------------------------------------------------------- what is told

const figuresOf = (found: ReadonlyMap<string, ReadonlyArray<Turn>>, name: string, depth: number) => {
  const turns = found.get(keyOf(name, depth))!
  const beside = found.get(keyOf(ours, depth))!
  const micros = turns.flatMap((each) => each.micros ?? [])
  return {
    perSecond: Math.round(median(turns.map((each) => each.perSecond))),
    micros: micros.length === 0 ? undefined : Number(median(micros).toPrecision(3)),
    toOurs: Number(median(turns.map((each, round) => each.perSecond / beside[round]!.perSecond)).toPrecision(3))
  }
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  ")
  const [head, ...rest] = rows.map(line)
  return [styleText("bold", head!), ...rest].join("\n")
}

const print = (
  pairs: ReadonlyArray<Pair>,
  missing: Readonly<Record<string, string>>,
  found: ReadonlyMap<string, ReadonlyArray<Turn>>,
  load: number
): void => {
  const head = depths.flatMap(({ depth }) => [`${depth} in flight, /s`, "CPU µs each", "to ours"])
  const rows = pairs.map(({ name }) => [
    name,
    ...depths.flatMap(({ depth }) => {
      const { micros, perSecond, toOurs } = figuresOf(found, name, depth)
      return [perSecond.toLocaleString("en"), micros?.toString() ?? "unknown", toOurs.toString()]
    })
  ])
  console.log(`Before it began, ${load} processes wanted to run, on ${availableParallelism()} cores.\n`)
  console.log(table([["medians", ...head], ...rows]))
  console.log()
  for (const { name, note } of pairs) console.log(`${name}: ${note}`)
  for (const [name, why] of Object.entries(missing)) console.log(`${name}: ${why}`)
}

const main = async (): Promise<number> => {
  const rounds = Number(given.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error(`--rounds ${given.rounds}: give a whole number, 1 or more.\n\n${usage}`)
    return 1
  }
  const load = Number(loadavg()[0]!.toFixed(1))
  const { missing, pairs } = await startAll()
  const found = await measure(pairs, rounds)
  for (const { sides } of pairs) for (const { end } of sides) end()
  if (!json) {
    print(pairs, missing, found, load)
    return 0
  }
  const peers = pairs.map(({ name, note }) => {
    const figures = depths.map(({ depth }) => [`${depth} in flight`, figuresOf(found, name, depth)] as const)
    return [name, { ...Object.fromEntries(figures), note }] as const
  })
  const report = {
    benchmark: "asks over TCP beside their peers, medians",
    rounds,
    ...Object.fromEntries(peers),
    missing
  }
  console.log(JSON.stringify(report))
  return 0
}

if (help) console.log(usage)
else process.exitCode = await main()
process.exit()
