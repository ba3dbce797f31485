/** A thread that reads and judges histories, so that whoever waits can draw how it goes, and end it. */
import { Result } from "effect"
import { parentPort, workerData } from "node:worker_threads"
import { judge, modelOf, readingsOf } from "../../Histories.ts"
import { styleOf } from "../../terminal/Screen.ts"
import { type Answer, answerOf, type Telling } from "./Answer.ts"
import type { Asked, Report, Task } from "./Judge.ts"

const { drawing, hasColor, question, width } = workerData as Asked

const post = (report: Report): void => parentPort!.postMessage(report)

let hasDrawn: "nothing" | "something" | "the worst" = drawing ? "nothing" : "the worst"

const telling: Telling = {
  width,
  hasColor,
  style: styleOf(hasColor),
  isDrawn: (kind) => hasDrawn === "nothing" || (hasDrawn === "something" && kind === "violated")
}

const tell = (answer: Answer): void => {
  if (answer._tag === "Judged" && answer.svg !== undefined) {
    hasDrawn = answer.kind === "violated" ? "the worst" : "something"
  }
  post({ _tag: "Answered", answer })
}

const judgeFile = ({ file, text }: Task): Report => {
  const readings = readingsOf(text, file, question)
  if (Result.isFailure(readings)) {
    const { isForeign, reason: error } = readings.failure
    if (isForeign) return { _tag: "Foreign", error }
    tell({ _tag: "Unreadable", file, history: undefined, error })
    return { _tag: "Done" }
  }
  for (const reading of readings.success) {
    const start = performance.now()
    const verdict = judge(reading, file, question)
    const milliseconds = performance.now() - start
    if (Result.isFailure(verdict)) {
      tell({ _tag: "Unreadable", file, history: reading.id, error: verdict.failure.message })
    } else {
      const judged = { file, reading, model: modelOf(reading, question), verdict: verdict.success, milliseconds }
      tell(answerOf(judged, telling))
    }
  }
  return { _tag: "Done" }
}

parentPort!.on("message", (task: Task) => {
  try {
    post(judgeFile(task))
  } catch (error) {
    // Only what is inside of a value is gone through by calls within calls.
    if (!(error instanceof RangeError && error.message.includes("call stack"))) throw error
    const reason = `${task.file}: a value in it is nested too deep. Leave out what the verdict does not need of it.`
    tell({ _tag: "Unreadable", file: task.file, history: undefined, error: reason })
    post({ _tag: "Done" })
  }
})
