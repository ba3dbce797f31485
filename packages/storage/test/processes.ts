/** Processes that write to a disk until they are killed, and what is there then. */
import { Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Effect, Stream } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { textOf } from "./support.ts"
import { record } from "./writer.ts"

const writer = fileURLToPath(new URL("writer.ts", import.meta.url))
const node = [process.execPath, "--conditions=@troupe/source", writer]

export interface Writer {
  readonly child: ChildProcess
  readonly lines: ReadonlyArray<string>
  /** Waits for a line that begins so. */
  readonly line: (start: string) => Promise<string>
  readonly ended: Promise<unknown>
}

/** `limitKilobytes`: of each file that it writes. */
export const start = (directory: string, limitKilobytes?: number): Writer => {
  const [command, ...rest] =
    limitKilobytes === undefined
      ? [...node, directory]
      : ["bash", "-c", `trap '' XFSZ; ulimit -f ${limitKilobytes}; exec "$@"`, "-", ...node, directory]
  const child = spawn(command!, rest, { stdio: ["ignore", "pipe", "inherit"] })
  const lines: Array<string> = []
  const waiting = new Set<() => void>()
  let begun = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (begun + text).split("\n")
    begun = parts.pop()!
    lines.push(...parts)
    waiting.forEach((look) => look())
  })
  return {
    child,
    lines,
    line: (begin) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.find((line) => line.startsWith(begin))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
    ended: once(child, "close")
  }
}

/** What is wrong with what a writer left, that has said these lines. */
export const judge = (directory: string, lines: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const storage = yield* Storage
      const log = yield* storage.log("log")
      const last = (what: string): number =>
        Number(lines.findLast((line) => line.startsWith(`${what} `))?.split(" ")[1] ?? 0)
      const problems: Array<string> = []
      if (log.next < last("log")) problems.push(`the log ends with ${log.next}, and ${last("log")} were acknowledged`)
      if (log.first < last("snapshot")) problems.push(`the log begins with ${log.first}, not ${last("snapshot")}`)
      const records = yield* Stream.runCollect(log.read(log.first))
      const wrong = records.findIndex((bytes, i) => textOf(bytes) !== record(log.first + i))
      if (wrong !== -1 || records.length !== log.next - log.first) problems.push(`record ${log.first + wrong} is wrong`)
      const snapshot = yield* Stream.runCollect(log.snapshot)
      if (log.first > 0 && textOf(snapshot[0]!) !== `${log.first}`) problems.push("the snapshot is another one")
      const value = yield* (yield* storage.cell("cell")).get
      if (Number(value === undefined ? 0 : textOf(value)) < last("cell")) problems.push("the cell is older than it was")
      return problems
    }).pipe(Effect.scoped, Effect.provide(Disk.layer({ directory })))
  )

/** Lets a process write to the directory, kills it so many milliseconds after its log is open, and judges. */
export const killAfter = async (directory: string, millis: number): Promise<ReadonlyArray<string>> => {
  const { child, ended, line, lines } = start(directory)
  await Promise.race([line("open"), ended])
  await new Promise((resolve) => setTimeout(resolve, millis))
  child.kill("SIGKILL")
  await ended
  return lines.includes("open") ? judge(directory, lines) : [`it did not start: ${lines.join(" ")}`]
}
