/** What the service promises to its users, whichever detector is behind it. */
import { describe, expect, it } from "@effect/vitest"
import {
  FailureDetector,
  GossipHeartbeat,
  Heartbeat,
  HeartbeatCounters,
  type InvalidOptions,
  type Opinion,
  PhiAccrual,
  Ping
} from "@troupe/failure-detection"
import { Simulation } from "@troupe/simulation"
import { Memory, type Transport } from "@troupe/transport"
import { Context, Effect, Layer, Stream } from "effect"
import { crash, type Detector, detectors, nodesOf, pause } from "./detectors.ts"

/** What `ask` makes of the detector of n1, in a simulated world. */
const at = <A, E>(
  detector: Detector,
  world: {
    readonly nodes: number
    readonly seconds?: number
    readonly scheduled?: Simulation.Options<unknown>["scheduled"]
  },
  ask: (service: FailureDetector["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    let answer: A | undefined
    const { violations } = yield* Simulation.run({
      ...{ seed: 1, nodes: nodesOf(world.nodes), duration: `${world.seconds ?? 60} seconds` },
      ...(world.scheduled === undefined ? {} : { scheduled: world.scheduled }),
      program: (node) =>
        Effect.flatMap(Layer.build(detector.layer()), (context) =>
          node === "n1"
            ? Effect.map(ask(Context.get(context, FailureDetector)), (value) => void (answer = value))
            : Effect.void
        )
    })
    expect(violations).toEqual([])
    return answer
  })

describe.each(detectors)("$name", (detector) => {
  it.live("takes all others for up at first, and watches neither itself nor strangers", () =>
    Effect.gen(function* () {
      const answer = yield* at(detector, { nodes: 3 }, (service) =>
        Effect.gen(function* () {
          const refused: Array<string> = []
          // Names that every object answers to are strangers as well.
          for (const node of ["n1", "n9", "", "constructor", "__proto__"]) {
            refused.push((yield* Effect.flip(service.opinion(node))).message)
          }
          const opinions = [...(yield* service.opinions).values()]
          return { self: service.self, refused, opinions, one: yield* service.opinion("n3") }
        })
      )
      expect(answer!.self).toBe("n1")
      expect(answer!.opinions.map(({ node, status }) => [node, status])).toEqual([
        ["n2", "up"],
        ["n3", "up"]
      ])
      expect(answer!.one).toMatchObject({ node: "n3", status: "up" })
      expect(answer!.one.level).toBeLessThan(0.5)
      expect(answer!.refused).toEqual([
        'n1 does not watch "n1": it is its own node',
        ...["n9", "", "constructor", "__proto__"].map(
          (node) => `n1 does not watch "${node}": no such node is known to it`
        )
      ])
    })
  )

  it.live("alone, it watches nobody, and says nothing", () =>
    Effect.gen(function* () {
      const answer = yield* at(detector, { nodes: 1, seconds: 200 }, (service) =>
        Effect.gen(function* () {
          const changes = yield* service.changes.pipe(
            Stream.interruptWhen(Effect.sleep("2 minutes")),
            Stream.runCollect
          )
          return { changes: [...changes], size: (yield* service.opinions).size }
        })
      )
      expect(answer).toEqual({ changes: [], size: 0 })
    })
  )

  it.live("with everybody dead but itself, it suspects them all, and goes on", () =>
    Effect.gen(function* () {
      const scheduled = ["n2", "n3", "n4"].map((node) => crash(node, 10_000))
      const answer = yield* at(detector, { nodes: 4, seconds: 200, scheduled }, (service) =>
        Effect.andThen(Effect.sleep("3 minutes"), service.opinions)
      )
      expect([...answer!.values()].map(({ status }) => status)).not.toContain("up")
      expect([...answer!.values()].every(({ level }) => level >= 1)).toBe(true)
    })
  )

  it.live("tells each change to all who listen, in the order in which they happen, and agrees with its opinions", () =>
    Effect.gen(function* () {
      const answer = yield* at(
        detector,
        { nodes: 3, seconds: 100, scheduled: [pause("n2", 20_000, 20_000)] },
        (service) =>
          Effect.gen(function* () {
            const heard: Array<Array<Opinion>> = [[], []]
            for (const each of heard) {
              yield* Effect.forkChild(
                Stream.runForEach(service.changes, (change) => Effect.sync(() => void each.push(change)))
              )
            }
            yield* Effect.sleep("38 seconds")
            const during = (yield* service.opinion("n2")).status
            yield* Effect.sleep("50 seconds")
            return { heard, during, after: (yield* service.opinion("n2")).status }
          })
      )
      const statuses = answer!.heard.map((each) => each.filter(({ node }) => node === "n2").map(({ status }) => status))
      expect(statuses[0]![0]).toBe("suspected")
      expect(statuses[0]!.at(-1)).toBe("up")
      expect(statuses[1]).toEqual(statuses[0])
      expect(answer!.after).toBe("up")
      expect(statuses[0]).toContain(answer!.during)
    })
  )

  it.live("a reader that stands still for long holds nobody up", () =>
    Effect.gen(function* () {
      const scheduled = Array.from({ length: 10 }, (_, round) => pause("n2", 20_000 + 40_000 * round, 20_000))
      const answer = yield* at(detector, { nodes: 3, seconds: 500, scheduled }, (service) =>
        Effect.gen(function* () {
          let slow = 0
          let quick = 0
          yield* Effect.forkChild(
            Stream.runForEach(service.changes, () =>
              Effect.andThen(
                Effect.sync(() => slow++),
                Effect.never
              )
            )
          )
          yield* Effect.forkChild(Stream.runForEach(service.changes, () => Effect.sync(() => quick++)))
          yield* Effect.sleep("8 minutes")
          return { slow, quick, status: (yield* service.opinion("n2")).status }
        })
      )
      expect(answer!.slow).toBe(1)
      expect(answer!.quick).toBeGreaterThanOrEqual(20)
      expect(answer!.status).toBe("up")
    })
  )
})

describe("options that cannot be are refused, in words", () => {
  const alone = Memory.network({ nodes: ["n1"] })
  const refusals: ReadonlyArray<readonly [string, Layer.Layer<any, any, Transport>, RegExp]> = [
    ["ping: a timeout that is not over before the next ping", Ping.layer({ interval: 500, timeout: 500 }), /500 ms/],
    ["ping: no misses", Ping.layer({ misses: 0 }), /misses/],
    ["ping: half a miss", Ping.layer({ misses: 1.5 }), /misses/],
    ["ping: no interval", Ping.layer({ interval: 0 }), /intervalMillis/],
    ["heartbeat: a deadline before the next", Heartbeat.layer({ deadline: "1 second" }), /1000 ms is over before/],
    ["heartbeat: an endless interval", Heartbeat.layer({ interval: "Infinity" as never }), /intervalMillis/],
    ["counters: no patience", HeartbeatCounters.layer({ patience: 0 }), /patience/],
    ["counters: NaN", HeartbeatCounters.layer({ interval: NaN }), /intervalMillis/],
    ["φ: a threshold of 0", PhiAccrual.layer({ threshold: 0 }), /threshold/],
    ["φ: a threshold beyond all doubt", PhiAccrual.layer({ threshold: Infinity }), /threshold/],
    ["φ: a window of one", PhiAccrual.layer({ window: 1 }), /window/],
    ["φ: a window without bound", PhiAccrual.layer({ window: 1e6 }), /window/],
    ["φ: no deviation", PhiAccrual.layer({ minimumDeviation: 0 }), /minimumDeviation/],
    ["φ: a negative pause", PhiAccrual.layer({ acceptablePause: -1 }), /acceptablePause/],
    [
      "φ: a first estimate that is over before a heartbeat",
      PhiAccrual.layer({ interval: "10 seconds", firstEstimate: "1 second" }),
      /before its first heartbeat/
    ],
    ["gossip: to fail before the next", GossipHeartbeat.layer({ failAfter: 200 }), /before the next gossip/],
    [
      "gossip: to forget too early",
      GossipHeartbeat.layer({ failAfter: 1_000, cleanUpAfter: 1_999 }),
      /dead may come back/
    ],
    ["gossip: no interval", GossipHeartbeat.layer({ interval: -5 }), /intervalMillis/]
  ]
  it.effect.each(refusals)("%s", ([, layer, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, Memory.layer(alone, "n1")))))
      expect((error as InvalidOptions)._tag).toBe("InvalidOptions")
      expect((error as InvalidOptions).message).toMatch(reason)
    })
  )
})
