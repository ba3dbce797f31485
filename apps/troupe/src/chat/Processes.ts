/** The nodes of a chat: processes of `troupe chat node` on this machine, each on a disk of its own. */
import type { Config } from "@troupe/chat"
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { CannotRun } from "../Problem.ts"

const troupe = fileURLToPath(new URL("../../bin/troupe.js", import.meta.url))

export class Process {
  readonly own: Config.Node
  private readonly file: string
  private child: ChildProcess | undefined
  /** What it said last, if it ended by itself. */
  lastWords: string | undefined

  constructor(own: Config.Node, file: string) {
    this.own = own
    this.file = file
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  readonly start: Effect.Effect<void> = Effect.sync(() => {
    if (this.child !== undefined) return
    // In a group of its own: what is typed in the terminal is not for it.
    const args = [troupe, "chat", "node", "--id", this.own.id, "--config", this.file]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], detached: true })
    this.child = child
    let said = ""
    child.stderr!.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-2_000)
    })
    child.once("exit", () => {
      if (this.child !== child) return
      this.child = undefined
      this.lastWords = said
        .trim()
        .split("\n")
        .at(-1)!
        .replace(/^troupe: /, "")
    })
  })

  /** Ends it, `SIGKILL` at once: what it does not know to be on disk is lost. */
  readonly end = (signal: "SIGKILL" | "SIGTERM"): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const { child } = this
      this.child = undefined
      if (child === undefined) return resume(Effect.void)
      child.once("exit", () => resume(Effect.void))
      child.kill(signal)
    })

  /** Kills it, and does not wait for its end. */
  readonly drop = (): void => {
    this.child?.kill("SIGKILL")
    this.child = undefined
  }
}

/** Nodes that are being started. They are stopped when the scope ends. */
export const start = (
  config: Config.Config,
  directory: string
): Effect.Effect<ReadonlyArray<Process>, CannotRun, Scope.Scope> =>
  Effect.gen(function* () {
    const file = join(directory, "chat.json")
    yield* Effect.try({
      try: () => {
        mkdirSync(directory, { recursive: true })
        writeFileSync(file, `${JSON.stringify(config, undefined, 2)}\n`)
      },
      catch: (error) => new CannotRun({ reason: `${directory} cannot be used: ${(error as Error).message}` })
    })
    const nodes = config.nodes.map((own) => new Process(own, file))
    const drop = (): void => nodes.forEach((node) => node.drop())
    yield* Effect.acquireRelease(
      Effect.sync(() => process.once("exit", drop)),
      () =>
        Effect.andThen(
          Effect.timeoutOption(
            Effect.forEach(nodes, (node) => node.end("SIGTERM"), { concurrency: "unbounded" }),
            "5 seconds"
          ),
          Effect.sync(() => {
            process.off("exit", drop)
            drop()
          })
        )
    )
    yield* Effect.forEach(nodes, (node) => node.start, { discard: true })
    return nodes
  })
