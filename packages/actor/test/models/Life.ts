/** What an actor is to do with what it is told and asked, as plain lists and a list of what is due. */

/** What a handler does, one after the other. */
export type Act =
  | { readonly act: "tell"; readonly note: Note }
  | { readonly act: "timer"; readonly timer: string; readonly millis: number; readonly note: Note }
  | { readonly act: "interval"; readonly timer: string; readonly millis: number; readonly note: Note }
  | { readonly act: "quiet"; readonly millis: number; readonly note: Note }
  | { readonly act: "clear"; readonly timer: string }
  | { readonly act: "unstash" | "answer" | "defer" | "refuse" | "stash" | "throw" | "stop" }

export interface Note {
  readonly _tag: "Do" | "Ask"
  readonly n: number
  readonly rank: number
  /** How long its handler waits before it does anything. */
  readonly slow: number
  readonly acts: ReadonlyArray<Act>
}

export interface World {
  readonly capacity: number
  readonly onFull: "drop-newest" | "drop-oldest" | "fail"
  readonly isRanked: boolean
  readonly isEffect: boolean
  readonly handlerMillis: number
  /** Starts that fail. */
  readonly unable: ReadonlyArray<number>
  readonly fails: "resume" | "stop" | "restart" | "restart kept"
  readonly limit: number
  readonly withinMillis: number
  /** Before the first restart; then twice as long each time. */
  readonly backoffMillis: number
}

/** Two things are due at one moment: whichever comes first is right. */
export class Tied extends Error {}

/** A failure of the handler. */
class Broken extends Error {}

interface Question {
  readonly n: number
  isOver: boolean
}

type Item =
  | { readonly kind: "note"; readonly note: Note; readonly question?: Question; readonly isQuiet?: boolean }
  | { readonly kind: "tick"; readonly note: Note; readonly timer: string; readonly set: object }
  | { readonly kind: "end" }

interface Waiting {
  readonly item: Item
  readonly rank: number
  readonly order: number
}

interface Due {
  readonly millis: number
  readonly does: () => void
}

interface Timer {
  readonly note: Note
  readonly every: number
  due: Due | undefined
  waits: boolean
}

const mostSteps = 600

/** Nobody waits for the answer any more. */
const isOver = (item: Item): boolean => item.kind === "note" && item.question?.isOver === true

export class Life {
  readonly log: Array<string> = []
  dead = 0
  private now = 0
  private steps = 0
  private readonly world: World
  private readonly due = new Set<Due>()
  private status: "idle" | "busy" | "restarting" | "ended" = "idle"
  private starts = 0
  private count: number | undefined
  private last: number | undefined
  private waiting: Array<Waiting> = []
  private aside: Array<Item> = []
  private newest = 0
  private foremost = 0
  private readonly timers = new Map<string, Timer>()
  private quiet: { readonly millis: number; readonly note: Note; due: Due } | undefined
  private underWay: Due | undefined
  private question: Question | undefined
  private readonly deferred: Array<Question> = []
  private restarts: Array<number> = []
  private backoffs = 0
  private isEnding = false
  private isDraining = false

  constructor(world: World) {
    this.world = world
    this.begin()
    this.run()
  }

  // ------------------------------------------------------------------------------------------------ what others do

  tell(note: Note): void {
    if (!this.put({ kind: "note", note })) this.say(`${note.n} is refused`)
  }

  ask(note: Note, timeout: number): void {
    const question = { n: note.n, isOver: false }
    if (this.isEnding) return this.over(question, "ActorStopped")
    if (!this.put({ kind: "note", note, question })) this.over(question, "MailboxFull")
    this.after(timeout, () => this.over(question, "AskTimeout"))
    this.run()
  }

  drain(): void {
    if (this.isEnding) return
    this.push({ kind: "end" })
    this.run()
  }

  stop(): void {
    this.end()
  }

  /** Lets time pass. */
  until(millis: number): void {
    for (;;) {
      const [first, second] = [...this.due].sort((a, b) => a.millis - b.millis)
      if (first === undefined || first.millis > millis) break
      if (first.millis === millis || first.millis === second?.millis) throw new Tied()
      this.due.delete(first)
      this.now = first.millis
      first.does()
      this.run()
    }
    this.now = millis
  }

  private say(what: string): void {
    this.log.push(`${this.now} ${what}`)
  }

  private after(millis: number, does: () => void): Due {
    const due = { millis: this.now + millis, does }
    this.due.add(due)
    return due
  }

  private never(due: Due | undefined): void {
    if (due !== undefined) this.due.delete(due)
  }

  private over(question: Question | undefined, how: string): void {
    if (question === undefined || question.isOver) return
    question.isOver = true
    this.say(`${question.n} ends: ${how}`)
  }

  // ------------------------------------------------------------------------------------------------- what waits for it

  private put(item: Item): boolean {
    if (this.isEnding) this.drop(item, "ActorStopped")
    else if (this.waiting.length < this.world.capacity) this.push(item)
    else if (this.world.onFull === "fail") return false
    else if (this.world.onFull === "drop-newest") this.drop(item, "MailboxFull")
    else {
      const oldest = this.waiting.filter(({ item }) => item.kind === "note").sort((a, b) => a.order - b.order)[0]
      if (oldest !== undefined) {
        this.waiting.splice(this.waiting.indexOf(oldest), 1)
        this.drop(oldest.item, "MailboxFull")
      }
      this.push(item)
    }
    return true
  }

  private push(item: Item): void {
    this.waiting.push({ item, rank: this.rankOf(item), order: ++this.newest })
    if (item.kind === "end") this.isDraining = true
  }

  private rankOf(item: Item): number {
    if (!this.world.isRanked) return 0
    if (item.kind === "note") return this.isDraining ? Infinity : item.note.rank
    return item.kind === "tick" ? -Infinity : Infinity
  }

  private drop(item: Item, how: string): void {
    if (item.kind !== "note") return
    this.dead++
    this.over(item.question, how)
  }

  private unstash(): void {
    const { aside } = this
    this.aside = []
    this.foremost -= aside.length
    const rank = this.world.isRanked ? -Infinity : 0
    for (const [at, item] of aside.entries()) this.waiting.push({ item, rank, order: this.foremost + at })
  }

  /** Takes what comes next, as long as it can. */
  run(): void {
    while (this.status === "idle" && this.waiting.length > 0) {
      this.waiting.sort((a, b) => a.rank - b.rank || a.order - b.order)
      const { item } = this.waiting.shift()!
      if (item.kind === "end") return this.end()
      if (this.isWorthless(item)) this.touch()
      else this.take(item)
    }
  }

  private isWorthless(item: Exclude<Item, { readonly kind: "end" }>): boolean {
    if (item.kind === "note") return isOver(item)
    const timer = this.timers.get(item.timer)
    if (timer !== item.set) return true
    timer.waits = false
    if (timer.every === 0) this.timers.delete(item.timer)
    return false
  }

  // ---------------------------------------------------------------------------------------------------- its handlers

  private take(item: Exclude<Item, { readonly kind: "end" }>): void {
    if (++this.steps > mostSteps) throw new Tied()
    const { slow } = item.note
    const { handlerMillis } = this.world
    this.question = item.kind === "note" ? item.question : undefined
    if (slow === 0) return this.handle(item)
    this.status = "busy"
    const isLate = handlerMillis > 0 && handlerMillis < slow
    this.underWay = this.after(isLate ? handlerMillis : slow, () => {
      this.underWay = undefined
      this.status = "idle"
      if (isLate) this.fail(undefined)
      else this.handle(item)
      this.touch()
    })
  }

  private handle(item: Exclude<Item, { readonly kind: "end" }>): void {
    const { note } = item
    const asked = this.question
    const { isQuiet = false } = item.kind === "note" ? item : {}
    this.say(`does ${note.n} after ${this.count}${isQuiet ? ", as it was quiet" : ""}`)
    try {
      let answer = "reply"
      for (const act of note.acts) answer = this.act(act, item) ?? answer
      this.count = this.count! + 1
      this.over(this.question, answer)
    } catch (broken) {
      if (!(broken instanceof Broken)) throw broken
      this.fail(asked)
    }
    this.touch()
    if (this.isEnding) this.end()
  }

  /** What it has for an answer from then on. */
  private act(act: Act, item: Exclude<Item, { readonly kind: "end" }>): string | void {
    switch (act.act) {
      case "tell":
        if (!this.put({ kind: "note", note: act.note })) throw new Broken()
        return
      case "timer":
        return this.setTimer(act.timer, act.millis, 0, act.note)
      case "interval":
        return this.setTimer(act.timer, act.millis, act.millis, act.note)
      case "clear":
        return this.clearTimer(act.timer)
      case "quiet":
        return this.setQuiet(act.millis, act.note)
      case "unstash":
        return this.unstash()
      case "stash":
        if (this.aside.length >= this.world.capacity) this.aside = this.aside.filter((each) => !isOver(each))
        if (this.aside.length >= this.world.capacity) throw new Broken()
        this.aside.push(item.kind === "tick" ? { kind: "note", note: item.note } : item)
        this.question = undefined
        return
      case "defer":
        if (this.question !== undefined) this.deferred.push(this.question)
        this.question = undefined
        return
      case "answer":
        return this.over(this.deferred.shift(), "reply")
      case "refuse":
        return "refused"
      case "throw":
        throw new Broken()
      case "stop":
        this.isEnding = true
        return
    }
  }

  private setTimer(name: string, millis: number, every: number, note: Note): void {
    this.clearTimer(name)
    const timer: Timer = { note, every, due: undefined, waits: false }
    const isDue = (): void => {
      timer.due = every > 0 ? this.after(every, isDue) : undefined
      if (timer.waits) return
      timer.waits = true
      this.push({ kind: "tick", note, timer: name, set: timer })
    }
    timer.due = this.after(millis, isDue)
    this.timers.set(name, timer)
  }

  private clearTimer(name: string): void {
    this.never(this.timers.get(name)?.due)
    this.timers.delete(name)
  }

  private setQuiet(millis: number, note: Note): void {
    this.never(this.quiet?.due)
    this.quiet = { millis, note, due: this.after(millis, () => this.wasQuiet()) }
  }

  /** It has just had something to do. */
  private touch(): void {
    if (this.quiet !== undefined) this.setQuiet(this.quiet.millis, this.quiet.note)
  }

  private wasQuiet(): void {
    const { millis, note } = this.quiet!
    this.setQuiet(millis, note)
    if (this.status === "idle") this.take({ kind: "note", note, isQuiet: true })
  }

  // ------------------------------------------------------------------------------------------- its failures, and its end

  /** `asked`: what it was at, though it was to be answered later. */
  private fail(asked: Question | undefined): void {
    const { backoffMillis, fails, limit, withinMillis } = this.world
    this.say("fails")
    this.over(this.question, "HandlerFailed")
    if (asked !== undefined && this.deferred.includes(asked)) this.over(asked, "HandlerFailed")
    this.question = undefined
    if (fails === "resume") return this.count === undefined ? this.end() : undefined
    if (fails === "stop") return this.end()
    if (this.isEnding) return
    this.restarts = [...this.restarts.filter((millis) => millis > this.now - withinMillis), this.now]
    if (this.restarts.length > limit) return this.end()
    const isKept = fails === "restart kept" && this.count !== undefined
    if (!isKept) this.reset()
    this.status = "restarting"
    const again = (): void => {
      this.underWay = undefined
      this.status = "idle"
      if (!isKept) this.begin()
    }
    if (backoffMillis === 0) return again()
    if (this.restarts.length === 1) this.backoffs = 0
    this.underWay = this.after(backoffMillis * 2 ** this.backoffs++, again)
  }

  private reset(): void {
    this.last = this.count ?? this.last
    this.count = undefined
    this.unstash()
    this.forget("HandlerFailed")
  }

  private begin(): void {
    if (this.world.unable.includes(++this.starts)) return this.fail(undefined)
    this.count = 0
    this.last = undefined
    this.say("begins")
  }

  private forget(how: string): void {
    for (const question of this.deferred) this.over(question, how)
    for (const name of [...this.timers.keys()]) this.clearTimer(name)
    this.never(this.quiet?.due)
    this.quiet = undefined
  }

  private end(): void {
    if (this.status === "ended") return
    this.isEnding = true
    this.status = "ended"
    this.never(this.underWay)
    this.over(this.question, "ActorStopped")
    for (const item of [...this.aside, ...this.waiting.map(({ item }) => item)]) this.drop(item, "ActorStopped")
    this.waiting = []
    this.aside = []
    this.forget("ActorStopped")
    const count = this.count ?? this.last
    if (count !== undefined) this.say(`has ended after ${count}`)
  }
}
