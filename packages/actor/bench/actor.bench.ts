/**
 * Ping-pong between two actors on the memory transport, beside the same two handlers in a bare loop.
 *
 *     node --conditions=@troupe/source packages/actor/bench/actor.bench.ts [--json] [--rounds 7]
 */
import { Actor, type Protocol } from "@troupe/actor"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const Ball = Schema.Literals(["ping", "pong"])
type Ball = typeof Ball.Type

interface State {
  readonly left: number
}

const pingPong: Protocol.Protocol<State, Ball, number, "done"> = {
  name: "bench/ping-pong",
  message: Ball,
  init: () => ({ left: 0 }),
  onCommand: (_state, left, act) => {
    act.send("n2", "ping")
    return { left }
  },
  onMessage: (state, from, message, act) => {
    if (message === "ping") {
      act.send(from, "pong")
      return state
    }
    const left = state.left - 1
    if (left > 0) act.send(from, "ping")
    else act.emit("done")
    return { left }
  }
}

const roundTrips = 500_000

const perSecond = (run: Effect.Effect<void>): Effect.Effect<number> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const start = performance.now()
    yield* run
    return (roundTrips / (performance.now() - start)) * 1000
  })

/** The same two nodes with nothing between them: a call for a message. */
const floor = Effect.sync(() => {
  let state = [pingPong.init(self("n1")), pingPong.init(self("n2"))] as const
  let to = -1
  let ball: Ball = "ping"
  const act = (node: "n1" | "n2"): Protocol.Actions<Ball, "done", never, void> => ({
    self: self(node),
    send: (peer, message) => {
      to = peer === "n1" ? 0 : 1
      ball = message
    },
    sendAll: () => {},
    setTimer: () => {},
    clearTimer: () => {},
    emit: () => {
      to = -1
    },
    now: () => 0,
    monotonic: () => 0,
    random: () => 0
  })
  const acts = [act("n1"), act("n2")] as const
  state = [pingPong.onCommand(state[0], roundTrips, acts[0]), state[1]]
  while (to >= 0) {
    if (to === 0) state = [pingPong.onMessage(state[0], "n2", ball, acts[0]), state[1]]
    else state = [state[0], pingPong.onMessage(state[1], "n1", ball, acts[1])]
  }
})

const self = (id: string): Protocol.Self<void> => ({
  id,
  nodes: ["n1", "n2"],
  peers: id === "n1" ? ["n2"] : ["n1"],
  options: undefined
})

const program = Effect.gen(function* () {
  const network = Memory.network({ nodes: ["n1", "n2"] })
  const spawn = (node: string) =>
    Effect.flatMap(Memory.connect(network, node), (transport) =>
      Effect.provideService(Actor.spawn(pingPong), Transport, transport)
    )
  const [first] = yield* Effect.all([spawn("n1"), spawn("n2")])
  const driver = Effect.callback<void>((resume) => {
    const stop = first.subscribe(() => {
      stop()
      resume(Effect.void)
    })
    first.tell(roundTrips)
  })
  const figures = { driver: [] as Array<number>, floor: [] as Array<number> }
  for (let round = -1; round < rounds; round++) {
    const driven = yield* perSecond(driver)
    const bare = yield* perSecond(floor)
    if (round < 0) continue
    figures.driver.push(driven)
    figures.floor.push(bare)
  }
  return { driver: median(figures.driver), floor: median(figures.floor) }
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const millions = (value: number): number => Number((value / 1e6).toPrecision(3))

const { driver, floor: bare } = await Effect.runPromise(Effect.scoped(program))
const report = {
  benchmark: "ping-pong, two actors, memory transport",
  unit: "million round trips/s, medians",
  rounds,
  driver: millions(driver),
  floor: millions(bare),
  ratio: Number((driver / bare).toPrecision(2)),
  goal: 2
}
console.log(json ? JSON.stringify(report) : report)
