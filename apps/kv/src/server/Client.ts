/**
 * A connection: reads commands, has them executed in their order, and writes the replies in the same.
 *
 * Commands in a row that are executed by the store go to it together, while those that arrive meanwhile wait here. A
 * client that sends faster than it is served, or takes no replies, is not read from.
 */
import type { Socket } from "node:net"
import type { Step } from "../KeyspaceMachine.ts"
import * as Reply from "../Reply.ts"
import { Parser } from "../resp/Parser.ts"
import { Writer } from "../resp/Writer.ts"
import type { Action } from "./Action.ts"
import type { Batcher } from "./Batcher.ts"
import type { Counters } from "./Counters.ts"
import type { Session } from "./Session.ts"
import { maxCommandBytes, maxWords, type Settings } from "./Settings.ts"

export interface Service {
  readonly settings: Settings
  readonly counters: Counters
  readonly batcher: Batcher
  readonly now: () => number
  readonly perform: (
    action: Action & { readonly _tag: "Perform" },
    done: (reply: Reply.Reply) => void,
    isGone: () => boolean
  ) => void
  readonly onClosed: (client: Client, why: string | undefined) => void
}

interface Slot {
  /** Nothing while it is executed. */
  reply: Reply.Reply | undefined
  readonly answer: ((reply: Reply.Reply) => Reply.Reply) | undefined
}

/** Replies that wait to be taken: beyond so many bytes nothing more is executed. */
const highWaterBytes = 1024 * 1024

/** Steps of one client that go to the store together. */
const maxRun = 512

export class Client {
  readonly session: Session
  private readonly socket: Socket
  private readonly service: Service
  private readonly parser: Parser
  private readonly writer = new Writer()
  private queue: Array<Array<string>> = []
  private head = 0
  private queuedBytes = 0
  /** Something is under way, and what follows waits for it. */
  private isBusy = false
  private isPaused = false
  private isEnding = false
  private isClosed = false
  private lastHeard: number
  /** Since when its replies have not been taken. */
  private stalledSince: number | undefined

  constructor(socket: Socket, session: Session, service: Service) {
    this.socket = socket
    this.session = session
    this.service = service
    this.lastHeard = service.now()
    this.parser = new Parser(this.limits())
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.on("drain", () => this.onDrain())
    socket.on("end", () => this.end())
    socket.on("error", () => this.close(undefined))
    socket.on("close", () => this.close(undefined))
  }

  /** Nothing more is read; what was read is answered, and the connection ended. */
  end(): void {
    this.isEnding = true
    this.socket.pause()
    if (!this.isBusy) this.advance()
  }

  /** Whether it has been sent all that it will be, and told so. */
  get isAnswered(): boolean {
    return this.socket.writableFinished
  }

  close(why: string | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.queue = []
    this.head = 0
    this.socket.destroy()
    this.service.onClosed(this, why)
  }

  /** Looks now and then after those who say nothing or take nothing. */
  look(): void {
    const { idleMillis, slowReaderMillis } = this.service.settings
    const now = this.service.now()
    if (this.stalledSince !== undefined && now - this.stalledSince > slowReaderMillis) {
      this.service.counters.slowReaders++
      this.close("it took no replies")
    } else if (idleMillis > 0 && !this.isBusy && now - this.lastHeard > idleMillis) this.close("it was idle")
  }

  private limits() {
    const { maxValueBytes } = this.service.settings
    // Who may not do anything yet may not fill memory either.
    return this.session.isAuthenticated
      ? { maxWordBytes: maxValueBytes, maxCommandBytes, maxWords }
      : { maxWordBytes: 16_384, maxCommandBytes: 65_536, maxWords: 10 }
  }

  private receive(chunk: Buffer): void {
    if (this.isEnding || this.isClosed) return
    this.lastHeard = this.service.now()
    this.parser.push(chunk, this.enqueue)
    if (!this.isBusy) this.advance()
    if (this.isFull()) this.pause()
  }

  private readonly enqueue = (words: Array<string>): void => {
    this.queue.push(words)
    for (const word of words) this.queuedBytes += word.length
  }

  private get waiting(): number {
    return this.queue.length - this.head
  }

  private isFull(): boolean {
    return this.waiting >= this.service.settings.maxPipeline || this.queuedBytes > 2 * maxCommandBytes
  }

  private pause(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.socket.pause()
  }

  private resume(): void {
    if (!this.isPaused || this.isEnding || this.isFull() || this.stalledSince !== undefined) return
    this.isPaused = false
    this.socket.resume()
  }

  private onDrain(): void {
    this.stalledSince = undefined
    if (!this.isBusy) this.advance()
    this.resume()
  }

  /** Does what waits, until something has to be waited for. */
  private advance(): void {
    while (!this.isBusy && !this.isClosed && this.stalledSince === undefined && this.waiting > 0) this.run()
    this.flush()
    if (this.isBusy || this.isClosed || this.waiting > 0) return
    if (this.parser.error !== undefined) this.refuse(this.parser.error)
    else if (this.isEnding) this.finish()
  }

  private run(): void {
    const steps: Array<Step> = []
    const slots: Array<Slot> = []
    let last: Action | undefined
    while (this.waiting > 0 && steps.length < maxRun && slots.length < maxRun && last === undefined) {
      const action = this.session.decide(this.next())
      if (action._tag === "Answer") slots.push({ reply: action.reply, answer: undefined })
      else if (action._tag === "Execute") {
        steps.push(action.step)
        slots.push({ reply: undefined, answer: action.answer })
        if (action.alone) break
      } else last = action
    }
    this.service.counters.commands += slots.length
    if (steps.length === 0) return this.complete(slots, [], last)
    this.isBusy = true
    this.service.batcher.submit(steps, (replies) => {
      this.isBusy = false
      if (this.isClosed) return
      this.complete(slots, replies, last)
      if (!this.isBusy) this.advance()
      this.resume()
    })
  }

  private next(): Array<string> {
    const words = this.queue[this.head++]!
    for (const word of words) this.queuedBytes -= word.length
    if (this.head === this.queue.length) {
      this.queue = []
      this.head = 0
    } else if (this.head >= 1024) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
    return words
  }

  private complete(slots: ReadonlyArray<Slot>, replies: ReadonlyArray<Reply.Reply>, last: Action | undefined): void {
    let next = 0
    for (const { answer, reply } of slots) {
      if (reply !== undefined) this.write(reply)
      else {
        const executed = replies[next++]!
        this.write(answer === undefined ? executed : answer(executed))
      }
    }
    this.parser.limits = this.limits()
    if (last?._tag === "Quit") {
      this.write(Reply.ok)
      this.flush()
      this.finish()
    } else if (last?._tag === "Perform") this.perform(last)
  }

  private perform(action: Action & { readonly _tag: "Perform" }): void {
    this.isBusy = true
    this.service.counters.commands++
    this.flush()
    const done = (reply: Reply.Reply): void => {
      this.isBusy = false
      if (this.isClosed) return
      this.write(reply)
      this.advance()
      this.resume()
    }
    this.service.perform(action, done, () => this.isClosed || this.isEnding)
  }

  private write(reply: Reply.Reply): void {
    this.writer.version = this.session.version
    this.writer.write(reply)
  }

  private flush(): void {
    if (this.writer.bytes === 0 || this.isClosed || this.socket.writableEnded) return
    this.socket.write(this.writer.take())
    const waiting = this.socket.writableLength
    if (waiting > this.service.settings.maxOutputBytes) {
      this.service.counters.slowReaders++
      this.close(`${waiting} bytes of replies waited to be taken`)
    } else if (waiting > highWaterBytes && this.stalledSince === undefined) {
      this.stalledSince = this.service.now()
      this.pause()
    }
  }

  private refuse(reason: string): void {
    if (this.socket.writableEnded) return
    this.service.counters.protocolErrors++
    this.write(Reply.failure(`ERR ${reason}`))
    this.flush()
    this.finish()
  }

  private finish(): void {
    this.isEnding = true
    this.queue = []
    this.head = 0
    this.stalledSince ??= this.service.now()
    if (!this.socket.writableEnded) this.socket.end()
    // Its end is heard only by who reads; what else it says is dropped.
    this.socket.resume()
  }
}
