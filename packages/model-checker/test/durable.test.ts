/**
 * What a node persists is there when it comes back from a crash, and nothing else is.
 */
import type { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect, Schema } from "effect"
import { expect, it } from "vitest"

interface State {
  readonly promised: number
  readonly told: number
}

/** Promises numbers that grow, and says each. */
const promiser = (persists: boolean): Protocol.Protocol<State, number, "promise", number, never, void, number> => ({
  name: "test/promiser",
  message: Schema.Int,
  durable: { record: Schema.Int, restore: (state, promised) => ({ ...state, promised }) },
  init: () => ({ promised: 0, told: 0 }),
  onCommand: ({ promised, told }, _promise, act) => {
    if (persists) act.persist(promised + 1)
    act.emit(promised + 1)
    return { promised: promised + 1, told: told + 1 }
  },
  onMessage: (state) => state
})

const check = (persists: boolean) =>
  Effect.runPromise(
    Checker.check(
      System.make({
        name: "promises that survive",
        members: System.members(promiser(persists), ["n1"], undefined),
        user: {
          memo: 0,
          moves: ({ memo }): ReadonlyArray<System.Move<"promise", number>> =>
            memo < 3 ? [{ _tag: "Command", command: "promise", memo: memo + 1 }] : []
        },
        crashes: { max: 2, restart: true },
        record: {
          init: [] as ReadonlyArray<number>,
          note: (history, occurrence) =>
            occurrence._tag === "Emitted" ? [...history, occurrence.event as number] : history
        },
        properties: [
          Property.always("promises grow", ({ history }: System.View<State, ReadonlyArray<number>>) =>
            history.every((promise, at) => at === 0 || history[at - 1]! < promise)
          ),
          Property.sometimes("a node has forgotten the rest", ({ nodes }: System.View<State, ReadonlyArray<number>>) =>
            nodes.some(({ alive, state }) => alive && state.promised > state.told)
          )
        ]
      })
    )
  )

it("comes back with what it persisted, and only that", async () => {
  const { properties } = await check(true)
  expect(properties.map(({ verdict }) => verdict)).toEqual(["holds", "holds"])
})

it("finds the promise that was not persisted", async () => {
  const { properties } = await check(false)
  expect(properties[0]!.verdict).toBe("violated")
})

interface Vote {
  readonly votedFor: string | undefined
  readonly heard: ReadonlyArray<string>
}

/** Votes once, for whom its user says, and tells its peer: each vote, or when it is asked to. */
const voter = (send: "send" | "sendNow"): Protocol.Protocol<Vote, string, string, never, never, void, string> => ({
  name: "test/voter",
  message: Schema.String,
  durable: { record: Schema.String, restore: (state, votedFor) => ({ ...state, votedFor }) },
  init: () => ({ votedFor: undefined, heard: [] }),
  onCommand: (state, command, act) => {
    const peer = act.self.peers[0]!
    if (command === "tell") {
      if (state.votedFor !== undefined) act[send](peer, state.votedFor)
      return state
    }
    if (state.votedFor !== undefined) return state
    act.persist(command)
    if (command === "a") act[send](peer, command)
    return { ...state, votedFor: command }
  },
  onMessage: (state, _from, vote) =>
    state.heard.includes(vote) ? state : { ...state, heard: [...state.heard, vote].sort() }
})

const election = (send: "send" | "sendNow", votes: ReadonlyArray<string>, aheadOfDisk?: boolean) =>
  Checker.check(
    System.make({
      name: "votes ahead of the disk",
      members: System.members(voter(send), ["n1", "n2"], undefined),
      user: {
        memo: 0,
        moves: ({ memo, node }): ReadonlyArray<System.Move<string, number>> =>
          node === "n1" && memo < 4
            ? votes.map((command) => ({ _tag: "Command", command, memo: memo + 1 }) as const)
            : []
      },
      crashes: { max: 1, restart: true, ...(aheadOfDisk === undefined ? {} : { aheadOfDisk }) },
      properties: [
        Property.always("one vote is heard of", ({ nodes }: System.View<Vote>) => nodes[1]!.state.heard.length < 2)
      ]
    })
  )

const verdict = async (...given: Parameters<typeof election>): Promise<string> =>
  (await Effect.runPromise(election(...given))).properties[0]!.verdict

it("undoes a record in the step that sends ahead of the disk", async () => {
  expect(await verdict("sendNow", ["a", "b", "tell"], true)).toBe("violated")
})

it("undoes the records of earlier steps, too, when a later one sends ahead of the disk", async () => {
  expect(await verdict("sendNow", ["b", "c", "tell"], true)).toBe("violated")
})

it("finds nothing where all that is said waits for the disk", async () => {
  expect(await verdict("send", ["a", "b", "tell"], true)).toBe("holds")
  expect(await verdict("send", ["a", "b", "tell"])).toBe("holds")
})

it("asks whether a node may crash ahead of its disk, when one sends so", async () => {
  await expect(verdict("sendNow", ["a", "b"])).rejects.toThrow("crashes.aheadOfDisk")
  expect(await verdict("sendNow", ["a", "b"], false)).toBe("holds")
})

it("tells states apart that differ in what was persisted alone, where nodes are interchangeable", async () => {
  // Knows of what it persisted only when it comes back.
  const quiet: Protocol.Protocol<boolean, number, "note", never, never, void, boolean> = {
    name: "test/quiet",
    message: Schema.Int,
    durable: { record: Schema.Boolean, restore: (_, noted) => noted },
    init: () => false,
    onCommand: (state, _note, act) => {
      act.persist(true)
      return state
    },
    onMessage: (state) => state
  }
  const { properties } = await Effect.runPromise(
    Checker.check(
      System.make({
        name: "records and symmetry",
        members: System.members(quiet, ["n1", "n2"], undefined),
        user: { memo: 0, moves: ({ memo }) => [{ _tag: "Command", command: "note", memo } as const] },
        crashes: { max: 1, restart: true },
        symmetry: [["n1", "n2"]],
        properties: [Property.sometimes("it is back", ({ nodes }: System.View<boolean>) => nodes.some((n) => n.state))]
      })
    )
  )
  expect(properties[0]!.verdict).toBe("holds")
})
