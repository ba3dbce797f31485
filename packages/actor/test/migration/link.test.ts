/** What one node says to another about actors that move, over a network that loses some of it. */
import { expect, it } from "@effect/vitest"
import { type Cause, Link, type Packet, type Said } from "../../src/internal/migration/Link.ts"

/** Two ends, with time in milliseconds; a packet is under way for 1. `isLost` decides over each. */
const pair = (isLost: (packet: Packet, nowMillis: number) => boolean) => {
  let now = 0
  let due: Array<{ readonly at: number; readonly go: () => void; isOff: boolean }> = []
  const after = (millis: number, go: () => void) => {
    const entry = { at: now + millis, go, isOff: false }
    due.push(entry)
    return entry
  }
  const heard: Array<number> = []
  const broken: Array<Cause> = []
  const ends: Record<string, Link> = {}
  for (const [node, other] of [
    ["n1", "n2"],
    ["n2", "n1"]
  ] as const) {
    const timers = new Map<string, ReturnType<typeof after>>()
    const clearTimer = (timer: string) => {
      const entry = timers.get(timer)
      if (entry !== undefined) entry.isOff = true
    }
    ends[node] = new Link({
      ...{ node, life: `life of ${node}`, retryMillis: 200, maxBytes: 100_000, clearTimer },
      transmit: (packet) => {
        if (!isLost(packet, now)) after(1, () => ends[other]!.receive(packet))
      },
      setTimer: (timer, millis) => {
        clearTimer(timer)
        timers.set(
          timer,
          after(millis, () => ends[node]!.timedOut(timer))
        )
      },
      onWord: (word) => void heard.push(new DataView(word.buffer, word.byteOffset).getUint32(0)),
      onBreak: (cause) => void broken.push(cause),
      onUp: () => {}
    })
  }
  const say = (number: number): Said => {
    const word = new Uint8Array(4)
    new DataView(word.buffer).setUint32(0, number)
    return ends.n1!.say(word)!
  }
  const run = (untilMillis: number): void => {
    for (;;) {
      due = due.filter(({ isOff }) => !isOff).sort((one, other) => one.at - other.at)
      const next = due[0]
      if (next === undefined || next.at > untilMillis) break
      due.shift()
      now = next.at
      next.go()
    }
    now = untilMillis
  }
  return { broken, heard, run, say, unsay: (said: Said) => ends.n1!.unsay(said) }
}

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

it("what follows a loss waits once for it, and then goes on at full speed", () => {
  const { broken, heard, run, say } = pair(
    ({ node, pieces }, now) => node === "n1" && pieces.length > 0 && now >= 100 && now < 200
  )
  say(0)
  run(100)
  for (const number of upTo(10_000).slice(1)) say(number)
  run(1_000)
  expect(heard).toEqual(upTo(10_000))
  expect(broken).toEqual([])
})

it("nothing is lost, doubled or overtaken where each third packet is lost", () => {
  let count = 0
  const { heard, run, say } = pair(() => ++count % 3 === 0)
  for (const number of upTo(2_000)) {
    say(number)
    if (number % 7 === 0) run(number)
  }
  run(60_000)
  expect(heard).toEqual(upTo(2_000))
})

it("what is taken back while nobody hears is not said", () => {
  const { heard, run, say, unsay } = pair((_, now) => now < 1_000)
  const said = upTo(100).map(say)
  run(500)
  for (const number of upTo(100)) if (number % 3 !== 0) expect(unsay(said[number]!)).toBe(true)
  say(102)
  run(3_000)
  expect(heard).toEqual([...upTo(100).filter((number) => number % 3 === 0), 102])
  expect(unsay(said[0]!)).toBe(false)
})

it("nothing new goes out while nobody is heard, however much is said meanwhile", () => {
  let pieces = 0
  const isSilent = (now: number): boolean => now >= 100 && now < 2_000
  const { heard, run, say } = pair((packet, now) => {
    if (isSilent(now)) pieces += packet.pieces.length
    return isSilent(now)
  })
  for (const number of upTo(1_000)) {
    say(number)
    run(number)
  }
  run(2_000)
  // The window once, and the first of it again at 200, 600, 1400 milliseconds, and so on.
  expect(pieces).toBeLessThanOrEqual(256 + 4 * 32)
  run(5_000)
  expect(heard).toEqual(upTo(1_000))
})
