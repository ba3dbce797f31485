import { Recorder, Trace } from "@troupe/trace"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"

const recording = Recorder.make({ title: "stamps", nodes: ["a", "b", "c"] })

const step = (
  node: string,
  input: Trace.Input,
  sends: ReadonlyArray<{ readonly to: string; readonly message: unknown }> = []
) => ({
  node,
  actor: "chat",
  input,
  state: null,
  actions: sends.map((send) => ({ _tag: "Send", ...send }) as const)
})

const from = (sender: string, message: unknown): Trace.Input => ({ _tag: "Message", from: sender, message })

describe("stamps", () => {
  it.effect("tell which of equal messages came, whatever was lost and in whatever order", () =>
    Effect.gen(function* () {
      const { observer, stamps, trace } = yield* recording
      const [a, b] = [stamps.open("a", "chat"), stamps.open("b", "chat")]
      for (const node of ["a", "b"]) observer.onSpawn({ node, actor: "chat", state: null })
      const sent = [1, 2, 3].map(() => {
        observer.onStep(step("a", { _tag: "Start" }, [{ to: "b", message: "x" }]))
        return a.send("b", "x")
      })
      // The first is lost, the third overtakes the second and comes twice.
      for (const at of [2, 1, 2]) {
        b.receive("a", "x", sent[at]!)
        observer.onStep(step("b", from("a", "x")))
      }
      const received = trace().events.slice(3) as ReadonlyArray<Trace.NodeEvent>
      expect(received.map((event) => Trace.receipt(event)!.id)).toEqual([3, 2, 3])
      expect(received.map(({ clock }) => clock)).toEqual([
        { a: 3, b: 1 },
        { a: 3, b: 2 },
        { a: 3, b: 3 }
      ])
    })
  )

  it.effect("wait for the step that takes the message, which others may come before", () =>
    Effect.gen(function* () {
      const { observer, stamps, trace } = yield* recording
      const b = stamps.open("b", "chat")
      stamps.open("a", "chat")
      observer.onSpawn({ node: "b", actor: "chat", state: null })
      for (const [at, message] of ["x", "refused", "y"].entries())
        b.receive("a", message, { id: 5 + at, clock: { a: at + 1 } })
      for (const message of ["x", "y", "unheard"]) observer.onStep(step("b", from("a", message)))
      expect(trace().events.map((event) => Trace.receipt(event)!.id)).toEqual([5, 7, undefined])
      expect(trace().events.map((event) => (event as Trace.NodeEvent).clock)).toEqual([
        { a: 1, b: 1 },
        { a: 3, b: 2 },
        { a: 3, b: 3 }
      ])
    })
  )

  it.effect("of a channel that no actor speaks on tell of its messages", () =>
    Effect.gen(function* () {
      const { stamps, trace } = yield* recording
      const [a, b] = [stamps.open("a", "chat"), stamps.open("b", "chat")]
      b.receive("a", "x", a.send("b", "x"))
      expect(trace().events).toEqual([
        { _tag: "Sent", node: "a", clock: { a: 1 }, atMillis: 0, channel: "chat", id: 1, to: "b", message: "x" },
        {
          _tag: "Received",
          node: "b",
          clock: { a: 1, b: 1 },
          atMillis: 0,
          channel: "chat",
          from: "a",
          id: 1,
          message: "x"
        }
      ])
    })
  )

  it.effect("what an actor asked for and did not send has the id of no other message", () =>
    Effect.gen(function* () {
      const { observer, stamps } = yield* recording
      const a = stamps.open("a", "chat")
      observer.onSpawn({ node: "a", actor: "chat", state: null })
      observer.onStep(step("a", { _tag: "Start" }, [{ to: "b", message: "x" }]))
      observer.onStep(step("a", { _tag: "Start" }, [{ to: "b", message: "x" }]))
      expect(a.send("b", "x")).toEqual({ id: 2, clock: { a: 2 } })
    })
  )

  it.effect("of another process give the clock, and no id: that process numbers its own messages", () =>
    Effect.gen(function* () {
      const { observer, stamps, trace } = yield* recording
      const b = stamps.open("b", "chat")
      observer.onSpawn({ node: "b", actor: "chat", state: null })
      b.receive("c", "x", { id: 1, clock: { c: 4 } })
      observer.onStep(step("b", from("c", "x")))
      const [event] = trace().events as ReadonlyArray<Trace.NodeEvent>
      expect(Trace.receipt(event!)!.id).toBeUndefined()
      expect(event!.clock).toEqual({ c: 4, b: 1 })
    })
  )
})
