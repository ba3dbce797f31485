/** The coordinator, the token ring, Lamport's queue and Suzuki–Kasami in every interleaving. */
import type { Protocol } from "@troupe/actor"
import type { Checker } from "@troupe/model-checker"
import { Coordinator, LamportQueue, SuzukiKasami, TokenRing } from "@troupe/mutex"
import { describe, expect, it } from "vitest"
import { type Bounds, type Dying, exhaustDying } from "./mortal.ts"
import { counterexample } from "./system.ts"

const coordinator = { ...Coordinator, options: Coordinator.defaults }
const elected = { ...Coordinator, options: { coordinator: "elected" } as const }
const ring = { ...TokenRing, options: TokenRing.defaults }
const queue = { ...LamportQueue, options: undefined }
const token = { ...SuzukiKasami, options: undefined }

const fifo = { network: { order: "fifo" } } as const

/** All that there is was seen, and nothing is broken. */
const sound = (report: Checker.Report): void => {
  expect(report.properties.filter(({ verdict }) => verdict !== "holds").map(({ name }) => name)).toEqual([])
  expect(report.complete).toBe(true)
}

const broken = (report: Checker.Report): ReadonlyArray<string> =>
  report.properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)

describe("exclusion, increasing tokens, no deadlock, nobody starves, with withdrawals", () => {
  it.each<Bounds<Coordinator.State>>([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 3, withdrawals: 2 },
    { nodes: 3, entries: 2, withdrawals: 1 },
    { nodes: 4, entries: 1, withdrawals: 1 }
  ])("coordinator, %o", async (bounds) => sound(await exhaustDying(coordinator, bounds)))

  it("coordinator, messages that arrive twice, up to three grants", async () =>
    sound(
      await exhaustDying(coordinator, {
        nodes: 3,
        entries: 1,
        askers: ["n2", "n3"],
        withdrawals: 1,
        network: { duplication: true },
        within: ({ office }) => office === undefined || office.grants <= 3
      })
    ))

  it.each<Bounds<LamportQueue.State>>([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 2, withdrawals: 1 },
    { nodes: 3, entries: 1, askers: ["n1", "n2"], withdrawals: 1 },
    { nodes: 3, entries: 1 },
    { nodes: 4, entries: 1, askers: ["n1", "n3"] }
  ])("Lamport's queue, FIFO, %o", async (bounds) => sound(await exhaustDying(queue, { ...bounds, ...fifo })))

  it.each<Bounds<SuzukiKasami.State>>([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 3, withdrawals: 2 },
    { nodes: 3, entries: 1, withdrawals: 1 },
    { nodes: 3, entries: 2 },
    { nodes: 4, entries: 1, askers: ["n2", "n3", "n4"] }
  ])("Suzuki–Kasami, %o", async (bounds) => sound(await exhaustDying(token, bounds)))

  it.each<Bounds<TokenRing.State>>([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 2, withdrawals: 1 },
    { nodes: 3, entries: 2, withdrawals: 1 }
  ])("token ring, without loss, %o", async (bounds) =>
    sound(await exhaustDying({ ...ring, protocol: lossless(TokenRing.protocol) }, { ...bounds, ends: false }))
  )
})

/**
 * A ring that does not look out for loss, and does not count how often the token was passed on: where no message is lost
 * or doubled, neither matters, and its states are finitely many.
 */
const lossless = (protocol: typeof TokenRing.protocol): typeof TokenRing.protocol => {
  type Act = Parameters<typeof protocol.onCommand>[2]
  const uncounted = (state: TokenRing.State): TokenRing.State => ({
    ...state,
    last: { ...state.last, hops: 0, entries: 0 },
    token: state.token === undefined ? undefined : { ...state.token, hops: 0 }
  })
  const quiet = (act: Act): Act => ({
    self: act.self,
    send: (to, message) => act.send(to, message._tag === "Token" ? { ...message, hops: 0 } : message),
    sendAll: (to, message) => act.sendAll(to, message),
    setTimer: (timer, millis) => timer === "rest" && act.setTimer(timer, millis),
    clearTimer: (timer) => act.clearTimer(timer),
    emit: (event) => act.emit(event),
    now: () => 0,
    monotonic: () => 0,
    random: () => 0
  })
  return {
    ...protocol,
    onStart: (state, act) => protocol.onStart!(state, quiet(act)),
    onCommand: (state, command, act) => uncounted(protocol.onCommand(state, command, quiet(act))),
    onMessage: (state, from, message, act) =>
      uncounted(protocol.onMessage({ ...state, last: { ...state.last, hops: -1 } }, from, message, quiet(act))),
    onTimeout: (state, timer, act) => uncounted(protocol.onTimeout!(state, timer, quiet(act)))
  }
}

describe("a node dies, and a failure detector says so: the others go on", () => {
  it.each<Bounds<Coordinator.State>>([
    { nodes: 3, entries: 2, mortal: ["n2", "n3"] },
    { nodes: 3, entries: 1, withdrawals: 1, mortal: ["n2", "n3"] }
  ])("coordinator, %o", async (bounds) => sound(await exhaustDying(coordinator, bounds)))

  it.each<Bounds<LamportQueue.State>>([
    { nodes: 3, entries: 1, askers: ["n1", "n2"], mortal: ["n2"] },
    { nodes: 3, entries: 1, askers: ["n1", "n2"], mortal: ["n3"] }
  ])("Lamport's queue, FIFO, %o", async (bounds) => sound(await exhaustDying(queue, { ...bounds, ...fifo })))

  it.each<Bounds<SuzukiKasami.State>>([
    { nodes: 3, entries: 1, mortal: ["n1"] },
    { nodes: 3, entries: 1, mortal: ["n2"] },
    { nodes: 3, entries: 1, askers: ["n2", "n3"], mortal: ["n1", "n2"] },
    { nodes: 3, entries: 1, askers: ["n2", "n3"], mortal: ["n1", "n3"] },
    { nodes: 3, entries: 1, askers: ["n2", "n3"], withdrawals: 1, mortal: ["n1"] },
    // Two inquire: the lowest, and who passed the token to the dead.
    { nodes: 4, entries: 1, askers: ["n1", "n3"], mortal: ["n1"] }
  ])("Suzuki–Kasami, %o", async (bounds) => sound(await exhaustDying(token, bounds)))
})

describe("coordinators that take over", () => {
  const leads = (leaders: Readonly<Record<string, number>>) => (node: string) =>
    leaders[node] === undefined ? [] : [{ _tag: "Elected", leader: node, epoch: leaders[node] }]

  it.each<Bounds<Coordinator.State>>([
    { nodes: 3, entries: 1, commands: leads({ n2: 4 }) },
    { nodes: 3, entries: 1, withdrawals: 1, askers: ["n1", "n3"], commands: leads({ n2: 4 }) },
    { nodes: 3, entries: 1, askers: ["n2", "n3"], mortal: ["n1"], commands: leads({ n2: 4 }) },
    { nodes: 3, entries: 1, askers: ["n1", "n3"], mortal: ["n1"], commands: leads({ n2: 4 }) },
    { nodes: 3, entries: 1, mortal: ["n3"], commands: leads({ n2: 4 }) },
    { nodes: 3, entries: 1, askers: ["n1", "n3"], commands: leads({ n2: 4, n3: 8 }) },
    { nodes: 3, entries: 1, askers: ["n1", "n3"], mortal: ["n2"], commands: leads({ n2: 4, n3: 8 }) }
  ])("from the first one, at any time, %o", async (bounds) => sound(await exhaustDying(coordinator, bounds)))

  it("and of whom the others hear too, at any time", async () => {
    const leader = () => [{ _tag: "Elected", leader: "n2", epoch: 4 }]
    sound(await exhaustDying(coordinator, { nodes: 3, entries: 1, commands: leader }))
    sound(
      await exhaustDying(coordinator, { nodes: 3, entries: 1, askers: ["n2", "n3"], mortal: ["n1"], commands: leader })
    )
  })

  it("from nobody, at any time", async () => {
    sound(await exhaustDying(elected, { nodes: 3, entries: 1, commands: leads({ n1: 3, n3: 5 }) }))
  })
})

describe("a token that is lost is made anew, and is the only one, whenever it is taken for lost", () => {
  const within =
    (generations: number, hops: number) =>
    ({ generation, last }: TokenRing.State): boolean =>
      generation <= generations && last.hops <= hops

  it.each<Bounds<TokenRing.State>>([
    { nodes: 3, entries: 1, within: within(6, 3) },
    { nodes: 3, entries: 1, within: within(6, 3), askers: ["n1", "n2"], mortal: ["n1"] },
    { nodes: 3, entries: 1, within: within(6, 3), askers: ["n2"], network: { loss: 1 } },
    { nodes: 2, entries: 1, within: within(4, 2), network: { loss: 1, duplication: true } }
  ])("token ring, %o", async (bounds) => sound(await exhaustDying(ring, { ...bounds, ends: false })))
})

describe("outside what they assume", () => {
  it("Lamport's queue needs FIFO channels: an acknowledgement overtakes a request, and two are inside", async () => {
    const report = await exhaustDying(queue, { nodes: 2, entries: 1, only: "mutual exclusion" })
    expect(broken(report)).toEqual(["mutual exclusion"])
    expect(counterexample(report, "mutual exclusion")).toEqual([
      "start",
      'n1: {"_tag":"Acquire"}',
      'n2: {"_tag":"Acquire"}',
      'n2 → n1: {"_tag":"Request","time":1}',
      'n1 → n2: {"_tag":"Acknowledge","time":2}',
      'n1 → n2: {"_tag":"Request","time":1}',
      'n2 → n1: {"_tag":"Acknowledge","time":4}'
    ])
  })

  const wrongly = { nodes: 3, entries: 1, only: "mutual exclusion" } as const
  const suspecting = (who: string, node: string) => (each: string) => (each === who ? [{ _tag: "Suspect", node }] : [])

  it("a holder that is suspected wrongly is not alone any more", async () => {
    const reports = await Promise.all([
      exhaustDying(coordinator, { ...wrongly, commands: suspecting("n1", "n2") }),
      exhaustDying(queue, { ...wrongly, ...fifo, commands: suspecting("n1", "n2") }),
      exhaustDying(token, { ...wrongly, commands: suspecting("n2", "n1") }),
      exhaustDying(ring, {
        ...wrongly,
        ends: false,
        within: ({ generation, last }) => generation <= 6 && last.hops <= 3,
        commands: suspecting("n1", "n2")
      })
    ])
    expect(reports.map(broken)).toEqual(reports.map(() => ["mutual exclusion"]))
  })

  it("token ring: a node that is back within the time that a message travels takes the token that it had refused", async () => {
    const report = await exhaustDying(ring, {
      nodes: 3,
      entries: 1,
      askers: ["n1", "n2"],
      crashes: { max: 1, restart: true, nodes: ["n2"] },
      ends: false,
      within: ({ generation, last }) => generation <= 6 && last.hops <= 3,
      only: "mutual exclusion"
    })
    expect(broken(report)).toEqual(["mutual exclusion"])
    expect(counterexample(report, "mutual exclusion")!.join()).toContain("n2 crashes")
  })

  it.each<[string, Dying<any, any>, string]>([
    ["the coordinator", coordinator, "n1"],
    ["a holder, under a coordinator", coordinator, "n2"],
    ["a bystander, in Lamport's queue", queue, "n3"],
    ["who has the token", token, "n1"],
    ["who is sent the token", token, "n2"]
  ])("without a failure detector %s that dies starves others", async (_who, lock, node) => {
    const deaf = { ...lock, protocol: unsuspecting(any(lock)) }
    const report = await exhaustDying(deaf, { nodes: 3, entries: 1, mortal: [node], only: "deadlock freedom", ...fifo })
    expect(broken(report)).toEqual(["deadlock freedom"])
  })

  it.each<[string, Dying<any, any>]>([
    ["a bystander, under a coordinator", coordinator],
    ["a bystander, of Suzuki–Kasami", token]
  ])("but %s harms nobody", async (_who, lock) => {
    const deaf = { ...lock, protocol: unsuspecting(any(lock)) }
    sound(await exhaustDying(deaf, { nodes: 3, entries: 2, askers: ["n1", "n2"], mortal: ["n3"] }))
  })
})

/** Which messages and commands it has is nobody's concern here. */
const any = ({ protocol }: { readonly protocol: { readonly name: string } }): Protocol.Any => protocol as Protocol.Any

/** Hears no failure detector. */
const unsuspecting = (protocol: Protocol.Any): Protocol.Any => ({
  ...protocol,
  onCommand: (state, command, act) => (command._tag === "Suspect" ? state : protocol.onCommand(state, command, act))
})

describe("a protocol that breaks a rule is found out", () => {
  const [coordinating, asking, passing] = [any(Coordinator), any(SuzukiKasami), any(TokenRing)]
  const on =
    (protocol: Protocol.Any, tag: string, handle: Protocol.Any["onMessage"]): Protocol.Any["onMessage"] =>
    (state, from, message, act) =>
      message._tag === tag ? handle(state, from, message, act) : protocol.onMessage(state, from, message, act)

  it.each<[string, string, Protocol.Any, any, Bounds<any>]>([
    [
      "a coordinator that grants before all have answered",
      "mutual exclusion",
      {
        ...coordinating,
        onCommand: (state, command, act) => {
          const next = coordinating.onCommand(state, command, act)
          return command._tag === "Elected" && next.office !== undefined
            ? { ...next, office: { ...next.office, awaiting: [] } }
            : next
        }
      },
      Coordinator.defaults,
      { nodes: 3, entries: 1, commands: (node) => (node === "n2" ? [{ _tag: "Elected", leader: "n2", epoch: 4 }] : []) }
    ],
    [
      "a grant of an earlier epoch that is taken",
      "mutual exclusion",
      {
        ...coordinating,
        onMessage: on(coordinating, "Grant", (state, from, message, act) =>
          coordinating.onMessage(state, from, { ...message, epoch: state.epoch }, act)
        )
      },
      Coordinator.defaults,
      { nodes: 3, entries: 1, commands: (node) => (node === "n2" ? [{ _tag: "Elected", leader: "n2", epoch: 4 }] : []) }
    ],
    [
      "an older token that is not refused",
      "one token",
      {
        ...asking,
        onMessage: on(asking, "Token", (state, from, { token, _tag }, act) => {
          const generation = Math.max(token.generation, state.generation)
          return asking.onMessage(state, from, { _tag, token: { ...token, generation } }, act)
        })
      },
      undefined,
      { nodes: 3, entries: 1, mortal: ["n1"] }
    ],
    [
      "a holder that answers while it is inside",
      "mutual exclusion",
      {
        ...asking,
        onMessage: on(asking, "Inquire", (state, from, message, act) => ({
          ...asking.onMessage({ ...state, phase: "idle" }, from, message, act),
          phase: state.phase
        }))
      },
      undefined,
      { nodes: 3, entries: 1, mortal: ["n1"] }
    ],
    [
      "whoever passed the token to the dead does not ask",
      "deadlock freedom",
      {
        ...asking,
        onCommand: (state, command, act) => asking.onCommand({ ...state, passedTo: undefined }, command, act)
      },
      undefined,
      { nodes: 3, entries: 1, mortal: ["n1"] }
    ],
    [
      "a token message that counts each time it arrives",
      "one token",
      {
        ...passing,
        onMessage: (state, from, message, act) =>
          passing.onMessage({ ...state, last: { ...state.last, hops: -1 } }, from, message, act)
      },
      TokenRing.defaults,
      {
        nodes: 2,
        entries: 1,
        ends: false,
        within: ({ generation, last }) => generation <= 4 && last.hops <= 4,
        network: { duplication: true }
      }
    ]
  ])("%s: %s", async (_rule, property, protocol, options, bounds) => {
    const report = await exhaustDying({ protocol, card: protocol.card!, options }, { ...bounds, only: property })
    expect(broken(report)).toEqual([property])
  })
})
