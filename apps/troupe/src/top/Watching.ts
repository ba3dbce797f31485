/** One picture after another, on a terminal, until its user has seen enough. */
import type * as Inspector from "@troupe/actor/Inspector"
import { Deferred, Effect, Latch, type Scope } from "effect"
import type { CannotRun } from "../Problem.ts"
import { screen } from "../terminal/Screen.ts"
import { type Live, live } from "./Live.ts"
import { another, isSeen, nobody, nothing } from "./Looks.ts"
import type { Address } from "./Source.ts"
import { picture } from "./View.ts"

export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
}

const keys: Readonly<Record<string, Inspector.Order>> = { m: "mailbox", p: "processed", r: "restarts", b: "busy" }
const help = "sort by: m mailbox   p processed/s   b busy   r restarts        q quits"

/** Fails where nobody is seen at first. */
export const watch = (
  addresses: ReadonlyArray<Address>,
  given: Inspector.Order,
  everyMillis: number,
  { stdin, stdout }: Terminal
): Effect.Effect<void, CannotRun, Scope.Scope> =>
  Effect.gen(function* () {
    let order = given
    let all = addresses.map(nothing)
    const quit = Latch.makeUnsafe(false)
    const { style } = yield* screen
    const lines = (): ReadonlyArray<string> => {
      const { columns: width = 100, rows: height = 24 } = stdout
      const room = Math.max(0, height - 2)
      const shown = picture(all, order, { width, height: room, canRedraw: true, style })
      return [...shown.slice(0, room), "", style.dim(help.slice(0, width - 1))].slice(0, height)
    }
    const begun = yield* Deferred.make<void, CannotRun>()
    let terminal: Live | undefined
    const draw = (): void => terminal?.draw(lines())
    const looking = (address: Address, index: number) =>
      Effect.gen(function* () {
        const seen = yield* another(address, all[index]!, order)
        all = all.with(index, seen)
        if (isSeen(seen)) Deferred.doneUnsafe(begun, Effect.void)
        else if (all.every(({ problem }) => problem !== undefined)) Deferred.doneUnsafe(begun, nobody(all))
        draw()
        yield* Effect.sleep(everyMillis)
      })
    yield* Effect.forEach(addresses, (address, index) => Effect.forkScoped(Effect.forever(looking(address, index))))
    yield* Deferred.await(begun)
    const typed = (key: string): void => {
      if (key === "q" || key === "\u0003") quit.openUnsafe()
      if (keys[key] === undefined) return
      order = keys[key]
      draw()
    }
    terminal = yield* live(stdin, stdout, typed, draw)
    // What is drawn after that would stand where the user goes on.
    yield* Effect.addFinalizer(() => Effect.sync(() => (terminal = undefined)))
    draw()
    yield* quit.await
  })
