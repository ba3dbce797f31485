/**
 * Transfers between accounts: their schema, files of them, and generated ones.
 */
import { Effect, FileSystem, Random, Schema } from "effect"
import { reasonOf } from "../Problem.ts"

const Account = Schema.String.check(Schema.isPattern(/^\S{1,64}$/))

export const Transfer = Schema.Struct({
  /** Names the transfer: applied once, however often it is submitted. */
  id: Schema.String.check(Schema.isPattern(/^\S{1,64}$/)),
  from: Account,
  to: Account,
  /** In cents. */
  amount: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000_000 }))
})

export type Transfer = typeof Transfer.Type

/** A line of a file: the id may be left out, then it is the line's number. */
const Line = Schema.fromJsonString(Schema.Struct({ ...Transfer.fields, id: Schema.optionalKey(Transfer.fields.id) }))

export class BadTransfers extends Schema.TaggedError<BadTransfers>()("BadTransfers", {
  file: Schema.String,
  /** 0 when it is the file as a whole. */
  line: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    const where = this.line === 0 ? this.file : `${this.file}:${this.line}`
    return `${where}: ${this.reason}`
  }
}

const example = `{"from":"alice","to":"bob","amount":250}`

export const maximumTransfers = 1_000_000

/** Reads one transfer a line. Blank lines don't count; the first bad line fails, and nothing is applied. */
export const read = (file: string): Effect.Effect<ReadonlyArray<Transfer>, BadTransfers, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const text = yield* fs
      .readFileString(file)
      .pipe(
        Effect.mapError((error) => new BadTransfers({ file, line: 0, reason: `cannot be read, ${reasonOf(error)}` }))
      )
    return yield* parse(file, text)
  })

export const parse = (file: string, text: string): Effect.Effect<ReadonlyArray<Transfer>, BadTransfers> =>
  Effect.gen(function* () {
    const transfers: Array<Transfer> = []
    const lineOf = new Map<string, number>()
    for (const [index, content] of text.split("\n").entries()) {
      if (content.trim() === "") continue
      const line = index + 1
      const refuse = (reason: string) => Effect.fail(new BadTransfers({ file, line, reason }))
      const decoded = yield* Schema.decodeUnknownEffect(Line)(content).pipe(
        Effect.catch((error) => refuse(`not a transfer like ${example}: ${error.message.replace(/\s*\n\s*/g, " ")}`))
      )
      const transfer = { ...decoded, id: decoded.id ?? `line-${line}` }
      if (transfer.from === transfer.to) return yield* refuse(`"${transfer.from}" is both ends of the transfer`)
      const other = lineOf.get(transfer.id)
      if (other !== undefined) return yield* refuse(`the id "${transfer.id}" is that of line ${other} already`)
      lineOf.set(transfer.id, line)
      transfers.push(transfer)
      if (transfers.length > maximumTransfers) return yield* refuse(`more than ${maximumTransfers} transfers`)
    }
    if (transfers.length === 0) {
      return yield* new BadTransfers({ file, line: 0, reason: `holds no transfer. One a line, like ${example}` })
    }
    return transfers
  })

/** `count` transfers between ten accounts, drawn from the `Random` service. */
export const generate = (count: number): Effect.Effect<ReadonlyArray<Transfer>> =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) =>
      Effect.gen(function* () {
        const from = yield* Random.nextIntBetween(0, names.length, { halfOpen: true })
        const step = yield* Random.nextIntBetween(1, names.length, { halfOpen: true })
        const amount = yield* Random.nextIntBetween(1, 10_000)
        return { id: `t${index + 1}`, from: names[from]!, to: names[(from + step) % names.length]!, amount }
      })
  )

const names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"]
