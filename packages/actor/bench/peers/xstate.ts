import { type AnyActorRef, createActor, fromTransition } from "xstate"
import type { Peer } from "./Peer.ts"

const counting = fromTransition(
  (sum: number, event: { readonly type: "add"; readonly amount: number }) => sum + event.amount,
  0
)

export const xstate = (): Peer => {
  const counter = createActor(counting).start()
  const [tells, trips, actors] = [1_000_000, 300_000, 50_000]

  let [hits, done] = [0, (_: number): void => {}]
  const game: ReadonlyArray<AnyActorRef> = [0, 1].map((at) =>
    createActor(
      fromTransition((state: number, { left }: { readonly type: "ball"; readonly left: number }) => {
        hits++
        if (left === 0) done(hits / 2)
        else game[1 - at]!.send({ type: "ball", left: left - 1 })
        return state
      }, at)
    ).start()
  )

  let kept: Array<AnyActorRef> = []
  return {
    note: "Runs inside `send`: who tells waits until it is handled, and no turn is a later one. It answers no questions.",
    tell: {
      count: tells,
      run: () => {
        const before = counter.getSnapshot().context
        for (let i = 0; i < tells; i++) counter.send({ type: "add", amount: 1 })
        return Promise.resolve(counter.getSnapshot().context - before)
      }
    },
    pingPong: {
      count: trips,
      run: () =>
        new Promise((resolve) => {
          ;[hits, done] = [0, resolve]
          game[0]!.send({ type: "ball", left: 2 * trips - 1 })
        })
    },
    ask: undefined,
    spawn: {
      count: actors,
      run: () => {
        for (let i = 0; i < actors; i++) kept.push(createActor(counting).start())
        return Promise.resolve(kept.length)
      }
    },
    release: () => {
      for (const actor of kept) actor.stop()
      kept = []
    }
  }
}
