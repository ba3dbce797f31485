import { dispatch, query, spawn, start, stop } from "nact"
import { burst, type Peer } from "./Peer.ts"

type Message = { readonly type: "add"; readonly amount: number } | { readonly type: "sum"; readonly from: any }

const count = (sum: number, message: Message): number => {
  if (message.type === "add") return sum + message.amount
  dispatch(message.from, sum)
  return sum
}

export const nact = (): Peer => {
  const system = start()
  const options = { initialState: 0 } as any
  const counter = spawn(system, count as any, "counter", options)
  const sum = (): Promise<number> => query(counter, (from: any) => ({ type: "sum", from }), 60_000) as Promise<number>
  const [tells, trips, asks, actors] = [200_000, 50_000, 50_000, 50_000]

  let [hits, done] = [0, (_: number): void => {}]
  const game: ReadonlyArray<any> = [0, 1].map((at) =>
    spawn(
      system,
      ((state: number, left: number) => {
        hits++
        if (left === 0) done(hits / 2)
        else dispatch(game[1 - at], left - 1)
        return state
      }) as any,
      `player${at}`,
      options
    )
  )

  let kept: Array<any> = []
  return {
    note: "No bound; who is idle handles the message inside `dispatch`. Names its actors, anonymous ones too.",
    tell: {
      count: tells,
      run: async () => {
        const before = await sum()
        for (let told = 0; told < tells; told += burst) {
          for (let i = 0; i < burst; i++) dispatch(counter, { type: "add", amount: 1 })
          await sum()
        }
        return (await sum()) - before
      }
    },
    pingPong: {
      count: trips,
      run: () =>
        new Promise((resolve) => {
          ;[hits, done] = [0, resolve]
          dispatch(game[0], 2 * trips - 1)
        })
    },
    ask: {
      count: asks,
      run: async () => {
        let answered = 0
        for (; answered < asks; answered++) await sum()
        return answered
      }
    },
    spawn: {
      count: actors,
      run: () => {
        for (let i = 0; i < actors; i++) kept.push(spawn(system, count as any, `idle${i}`, options))
        return Promise.resolve(kept.length)
      }
    },
    release: () => {
      for (const actor of kept) stop(actor)
      kept = []
    }
  }
}
