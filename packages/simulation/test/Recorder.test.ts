/** The recorder of `@troupe/trace` with the real driver, which stands on a higher floor than it. */
import { describe, expect, it } from "@effect/vitest"
import { Actor, Observer, type Protocol } from "@troupe/actor"
import { merge, Recorder, Trace } from "@troupe/trace"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Schema } from "effect"

const Message = Schema.Union([
  Schema.TaggedStruct("Ask", { number: Schema.Int }),
  Schema.TaggedStruct("Answer", { number: Schema.Int })
])

/** Asks all others for a number of turns; each answer that comes last of a turn begins the next. */
const asker: Protocol.Protocol<
  { readonly turn: number; readonly missing: number },
  typeof Message.Type,
  number,
  number,
  "never"
> = {
  name: "test/asker",
  message: Message,
  init: () => ({ turn: 0, missing: 0 }),
  onCommand: (_state, turns, act) => {
    act.setTimer("never", 1e9)
    act.sendAll(act.self.peers, { _tag: "Ask", number: 7 })
    return { turn: turns, missing: act.self.peers.length }
  },
  onMessage: (state, from, message, act) => {
    if (message._tag === "Ask") {
      if (message.number < 0) throw new Error("no such number")
      act.send(from, { _tag: "Answer", number: message.number })
      return state
    }
    if (state.missing > 1) return { ...state, missing: state.missing - 1 }
    act.emit(state.turn)
    if (state.turn === 1) return { turn: 0, missing: 0 }
    act.sendAll(act.self.peers, { _tag: "Ask", number: 7 })
    return { turn: state.turn - 1, missing: act.self.peers.length }
  }
}

const nodes = ["n1", "n2", "n3"]

const nodeEvents = ({ events }: Trace.Trace): ReadonlyArray<Trace.NodeEvent> =>
  events.filter((event) => "clock" in event)

/** n1 asks the others; each node with the recorder that it is given. */
const run = (recorderOf: (node: string) => Recorder.Recorder, turns: number) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    const actors = yield* Effect.forEach(nodes, (node) =>
      Effect.flatMap(Memory.connect(network, node), (transport) =>
        Actor.spawn(asker).pipe(
          Effect.provideService(Transport, transport),
          Effect.provideService(Observer, recorderOf(node).observer)
        )
      )
    )
    const done = Effect.callback<void>((resume) => {
      actors[0]!.subscribe((turn) => turn === 1 && resume(Effect.void))
      actors[0]!.tell(turns)
    })
    yield* done
  }).pipe(Effect.scoped)

const recorded = (options: Partial<Recorder.Options>, turns: number) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder.make({ title: "asking", nodes, ...options })
    yield* run(() => recorder, turns)
    return recorder.trace()
  })

describe("a recorder of a driver's steps", () => {
  it.effect("gives each message to the step that received it", () =>
    Effect.gen(function* () {
      const { events, header } = yield* recorded({}, 5)
      expect(header).toEqual(Trace.header({ title: "asking", source: "driver", nodes }))
      const sent = new Map(
        events.flatMap((event) => Trace.sends(event).map((sending) => [sending.id, { event, ...sending }]))
      )
      expect(sent.size).toBe(5 * 4)
      for (const event of nodeEvents({ header, events })) {
        const receipt = Trace.receipt(event)
        if (receipt === undefined) continue
        const sending = sent.get(receipt.id!)!
        expect(sent.delete(receipt.id!)).toBe(true)
        expect(sending).toMatchObject({ to: event.node, message: receipt.message, event: { node: receipt.from } })
        expect(Trace.happenedBefore(sending.event as Trace.NodeEvent, event)).toBe(true)
      }
      expect(sent.size).toBe(0)
      expect(events.filter(({ _tag }) => _tag === "Stop").length).toBe(3)
    })
  )

  it.effect("can be read back", () =>
    Effect.gen(function* () {
      const trace = yield* recorded({}, 2)
      expect(yield* Trace.decode(Trace.encode(trace))).toEqual(trace)
    })
  )

  it.effect("keeps as many events as it may, the latest, and counts the others", () =>
    Effect.gen(function* () {
      const all = yield* recorded({ states: false }, 5)
      const some = yield* recorded({ states: false, maxEvents: 10 }, 5)
      expect(some.header.dropped).toBe(all.events.length - 10)
      expect(some.events).toEqual(all.events.slice(-10))
    })
  )

  it.effect("hands each event to a sink, and then keeps none", () =>
    Effect.gen(function* () {
      const events: Array<Trace.Event> = []
      const trace = yield* recorded({ sink: (event) => events.push(event) }, 2)
      expect(trace.events).toEqual([])
      expect(events).toEqual((yield* recorded({}, 2)).events)
    })
  )

  it.effect("says what a handler threw, and takes remarks", () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.make({ title: "failing" })
      recorder.observer.onStep({
        node: "n1",
        actor: "a",
        input: { _tag: "Start" },
        state: 0,
        actions: [],
        failure: new Error("no\nsuch")
      })
      recorder.note("look", { broken: true, nodes: ["n1"] })
      const { events, header } = recorder.trace()
      expect(header.nodes).toEqual(["n1"])
      expect(events).toMatchObject([
        { _tag: "Step", failure: "Error: no" },
        { _tag: "Note", text: "look", broken: true, nodes: ["n1"] }
      ])
    })
  )

  it("forgets sends that nobody receives, within its bound", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make({ title: "lost", maxEvents: 100 })
        const step = (node: string, input: Trace.Input, message?: string): void =>
          recorder.observer.onStep({
            node,
            actor: "a",
            input,
            state: 0,
            actions: message === undefined ? [] : [{ _tag: "Send", to: "n2", message }]
          })
        for (let at = 0; at < 250; at++) step("n1", { _tag: "Start" }, `m${at}`)
        for (let at = 0; at < 250; at++) step("n2", { _tag: "Message", from: "n1", message: `m${at}` })
        const known = recorder.trace().events.filter((event) => Trace.receipt(event)?.id !== undefined)
        expect(known.length).toBe(50)
      })
    ))
})

describe("recorders of one node each", () => {
  it.effect("merge into the trace of one recorder of all", () =>
    Effect.gen(function* () {
      const apart = new Map<string, Recorder.Recorder>()
      for (const node of nodes) apart.set(node, yield* Recorder.make({ title: node }))
      yield* run((node) => apart.get(node)!, 4)
      const parts = [...apart.values()].map((recorder) => recorder.trace())
      // By itself, none knows where a message came from.
      expect(parts.flatMap(({ events }) => events).every((event) => Trace.receipt(event)?.id === undefined)).toBe(true)
      const merged = merge("asking", parts)
      const whole = yield* recorded({}, 4)
      const clocks = (trace: Trace.Trace) =>
        nodeEvents(trace)
          .map(({ clock, node }) => `${node} ${JSON.stringify(Object.entries(clock).toSorted())}`)
          .toSorted()
      expect(clocks(merged)).toEqual(clocks(whole))
    })
  )
})
