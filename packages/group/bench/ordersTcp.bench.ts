/**
 * Ordered multicast among five members, each a process, over TCP on loopback: all send 100 bytes as fast as they may, until
 * everybody has everything. Beside FIFO, and beside a bare fan-out of the same bytes over the same transport.
 *
 * Where the machine has other things to do, time by the clock says little: the rate is given also as it would be if the
 * processor time that the five have used were that of two cores that do nothing else.
 *
 *     node --conditions=@troupe/source packages/group/bench/ordersTcp.bench.ts [--json] [--rounds 5] [--order NAME ...]
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { layers, nodes, type Order, type Sent, type Task } from "./orderNode.ts"

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "4000" },
    order: { type: "string", multiple: true, default: Object.keys(layers) }
  }
}).values
const rounds = Number(args.rounds)
const count = Number(args.count)

const file = fileURLToPath(new URL("orderNode.ts", import.meta.url))
const children = nodes.map((node) => fork(file, [node], { execArgv: process.execArgv }))

const answer = (child: ChildProcess): Promise<any> =>
  new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("a node has ended before its answer"))
    child.once("exit", onExit)
    child.once("message", (message: { readonly answer: unknown }) => {
      child.off("exit", onExit)
      resolve(message.answer)
    })
  })

const askAll = (task: Task): Promise<ReadonlyArray<any>> =>
  Promise.all(
    children.map((child) => {
      child.send(task)
      return answer(child)
    })
  )

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const measure = async (order: Order | undefined) => {
  await askAll({ _tag: "Open", order })
  const byClock: Array<number> = []
  const byProcessor: Array<number> = []
  for (let round = -2; round < rounds; round++) {
    const all: ReadonlyArray<Sent> = await askAll({ _tag: "Send", count })
    const isTotal = order === "sequencer" || order === "token" || order === "isis"
    if (isTotal && new Set(all.map(({ digest }) => digest)).size > 1) throw new Error(`${order}: the orders differ`)
    if (round < 0) continue
    const multicasts = count * nodes.length
    byClock.push((multicasts * 1000) / Math.max(...all.map(({ millis }) => millis)))
    byProcessor.push((multicasts * 1000) / (all.reduce((sum, { usedMillis }) => sum + usedMillis, 0) / 2))
  }
  await askAll({ _tag: "Close" })
  return {
    "multicasts/s": Math.round(median(byClock)),
    "of two whole cores": Math.round(median(byProcessor))
  }
}

const ports = await Promise.all(children.map(answer))
await askAll({ _tag: "Connect", ports: Object.fromEntries(nodes.map((node, i) => [node, ports[i]])) })
const orders: Record<string, Awaited<ReturnType<typeof measure>>> = { "bare fan-out": await measure(undefined) }
for (const name of args.order) orders[name] = await measure(name as Order)
for (const child of children) child.disconnect()

const report = {
  benchmark: "multicasts of 100 bytes, delivered everywhere: five members that all send, five processes, TCP; medians",
  rounds,
  goal: "sequencer: 60,000 multicasts/s on two cores",
  orders
}
if (args.json) console.log(JSON.stringify(report))
else console.table(report.orders)
