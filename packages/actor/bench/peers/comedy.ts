import { createSystem } from "comedy"
import type { Peer } from "./Peer.ts"

/** A question may overtake what was told before: so this one says when all has come. */
const counting = () => {
  let [total, goal, reached] = [0, 0, (_: number): void => {}]
  return {
    add: (amount: number) => {
      total += amount
      if (total === goal) reached(total)
    },
    sum: () => total,
    until: (given: number) => {
      ;[total, goal] = [0, given]
      return new Promise<number>((resolve) => (reached = resolve))
    }
  }
}

export const comedy = async (): Promise<Peer> => {
  const system = createSystem({ test: true })
  const counts = counting()
  const root = await system.rootActor()
  const counter = await root.createChild(counts)
  const [tells, trips, asks, actors] = [50_000, 20_000, 20_000, 2_000]

  let [hits, done] = [0, (_: number): void => {}]
  const game: Array<any> = []
  for (const at of [0, 1]) {
    const player = {
      ball: (left: number) => {
        hits++
        if (left === 0) done(hits / 2)
        else game[1 - at].send("ball", left - 1)
      }
    }
    game.push(await root.createChild(player))
  }

  let kept: Array<any> = []
  return {
    note: "No bound, and no mailbox: a promise a message, questions overtake, and asynchronous handlers of one actor run at once.",
    tell: {
      count: tells,
      run: () => {
        const all = counts.until(tells)
        for (let i = 0; i < tells; i++) counter.send("add", 1)
        return all
      }
    },
    pingPong: {
      count: trips,
      run: () =>
        new Promise((resolve) => {
          ;[hits, done] = [0, resolve]
          game[0].send("ball", 2 * trips - 1)
        })
    },
    ask: {
      count: asks,
      run: async () => {
        let answered = 0
        for (; answered < asks; answered++) await counter.sendAndReceive("sum")
        return answered
      }
    },
    spawn: {
      count: actors,
      run: async () => {
        for (let i = 0; i < actors; i++) kept.push(await root.createChild(counting()))
        return kept.length
      }
    },
    release: () => {
      for (const actor of kept) actor.destroy()
      kept = []
    }
  }
}
