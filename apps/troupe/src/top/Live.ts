/** A terminal that shows one picture after another, and gives what is typed. What it was before, it is after. */
import { Effect, type Scope } from "effect"

export interface Live {
  readonly draw: (lines: ReadonlyArray<string>) => void
}

const enter = "\u001b[?1049h\u001b[?25l"
const leave = "\u001b[?25h\u001b[?1049l"

export const live = (
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  onKey: (key: string) => void,
  onResize: () => void
): Effect.Effect<Live, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const typed = (chunk: Buffer): void => {
          for (const key of chunk.toString()) onKey(key)
        }
        output.write(enter)
        output.on("resize", onResize)
        if (input.isTTY) input.setRawMode(true)
        input.on("data", typed)
        input.resume()
        return typed
      }),
      (typed) =>
        Effect.sync(() => {
          input.off("data", typed)
          if (input.isTTY) input.setRawMode(false)
          input.pause()
          output.off("resize", onResize)
          output.write(leave)
        })
    ),
    () => ({
      draw: (lines) => void output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`)
    })
  )
