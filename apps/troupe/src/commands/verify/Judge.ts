/** Judges files one by one in a thread, which a file that is too large for it may cost: then the next has a new one. */
import { Effect } from "effect"
import { Worker } from "node:worker_threads"
import type { Question } from "../../Histories.ts"
import type { Screen } from "../../terminal/Screen.ts"
import { type Answer, undecided } from "./Answer.ts"

/** What the thread is asked about all files. */
export interface Asked {
  readonly question: Question
  readonly width: number
  readonly hasColor: boolean
  /** Whether the first history that is violated, or else the first, is to be drawn. */
  readonly drawing: boolean
}

export interface Task {
  readonly file: string
  readonly text: string
}

/** What the thread says. `Foreign`: the text is of no format that is known. */
export type Report =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "Foreign"; readonly error: string }
  | { readonly _tag: "Done" }

export class Judge {
  private readonly asked: Asked
  private readonly screen: Screen
  private worker: Worker | undefined
  private heard: (report: Report) => void = () => {}
  private failed: (error: NodeJS.ErrnoException) => void = () => {}

  constructor(asked: Asked, screen: Screen) {
    this.asked = asked
    this.screen = screen
  }

  /** Says each answer as it comes. Fails with what is wrong with a text of no known format. */
  judge(task: Task, say: (answer: Answer) => void): Effect.Effect<void, string> {
    return Effect.callback((resume) => {
      const start = performance.now()
      this.heard = (report) => {
        if (report._tag === "Answered") say(report.answer)
        else resume(report._tag === "Done" ? Effect.void : Effect.fail(report.error))
      }
      this.failed = (error) => {
        this.worker = undefined
        const model = this.asked.question.model ?? "the default model"
        const milliseconds = performance.now() - start
        say(undecided({ file: task.file, model, milliseconds }, reasonOf(error), this.screen))
        resume(Effect.void)
      }
      this.worker ??= this.start()
      this.worker.postMessage(task)
    })
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData: this.asked,
      execArgv: ["--conditions=@troupe/source"]
    })
    return worker.on("message", (report: Report) => this.heard(report)).on("error", (error) => this.failed(error))
  }

  /** Whatever it is doing. */
  readonly end: Effect.Effect<void> = Effect.promise(async () => {
    await this.worker?.terminate()
  })
}

const reasonOf = (error: NodeJS.ErrnoException): string =>
  error.code === "ERR_WORKER_OUT_OF_MEMORY"
    ? "out of memory: the history takes more than the heap of a thread has"
    : `the check failed: ${error.message}`
