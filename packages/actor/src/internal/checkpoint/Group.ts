/**
 * The members of a checkpoint: how they come to rest together, and what is done at that moment.
 *
 * They take turns on one thread, so that a moment in which none of them is at a message is a consistent cut: all that is
 * under way between them waits in mailboxes, and is saved with these. Members at rest go on until then; one with a handler
 * under way, an Effect, stands still when that is done.
 */
import { Clock, Effect, Semaphore } from "effect"
import type { StorageError } from "@troupe/storage"
import type { Cell } from "../system/Cell.ts"
import * as Moving from "../system/Moving.ts"
import { NoCheckpoint, NotAtRest, NotReadable, NotWritable } from "./failures.ts"
import { type Form, goBack, type Image, imageOf } from "./image.ts"
import type { Saved, Slots } from "./Slots.ts"

interface Member {
  readonly cell: Cell
  readonly form: Form
  /** What it goes back to. */
  image: Image | undefined
}

export class Group {
  readonly name: string
  number: number
  private readonly slots: Slots
  private readonly patienceMillis: number
  private readonly members = new Map<string, Member>()
  private readonly turns = Semaphore.makeUnsafe(1)
  /** Of the checkpoint that was found, those that have not been spawned yet: they stay in those that follow. */
  private readonly unclaimed: Map<string, Saved["members"][string]>
  /** A member has started again, and is behind the others. */
  private isBehind = false
  private looking: (() => void) | undefined = undefined

  constructor(name: string, slots: Slots, patienceMillis: number) {
    this.name = name
    this.slots = slots
    this.patienceMillis = patienceMillis
    this.number = slots.latest?.number ?? 0
    this.unclaimed = new Map(Object.entries(slots.latest?.members ?? {}))
  }

  /** How it was, where it is in the checkpoint that was found. */
  past(name: string, form: Form): Image | undefined {
    const found = this.unclaimed.get(name)
    if (found === undefined) return undefined
    const refuse = (reason: string) =>
      new NotReadable({ member: name, found: found.version, known: form.version, reason })
    if (found.version > form.version) throw refuse("it is newer")
    try {
      return form.read(found.json, found.version)
    } catch (error) {
      throw refuse(String(error))
    }
  }

  enter(name: string, cell: Cell, form: Form, image: Image | undefined): void {
    const member = { cell, form, image }
    this.unclaimed.delete(name)
    this.members.set(name, member)
    cell.onGone(() => {
      if (this.members.get(name) === member) this.members.delete(name)
      this.looking?.()
    })
  }

  /** It stands still until all have gone back. */
  fellBehind(cell: Cell): void {
    this.isBehind = true
    cell.rarely().freeze = () => {}
    const log = (failure: unknown) => Effect.logWarning(`"${cell.path}" has started again, and others went on`, failure)
    cell.system.fork(Effect.catch(this.rollback, log))
  }

  // ------------------------------------------------------------------------------------------------------------ at rest

  /** Does something when no member is at a message, and then lets them go on. */
  private atRest<A>(then: () => A): Effect.Effect<A, NotAtRest> {
    const come = Effect.callback<A>((resume) => {
      this.looking = () => {
        let rests = true
        for (const { cell } of this.members.values()) {
          if (isAtRest(cell)) continue
          rests = false
          Moving.freeze(cell, () => this.looking?.())
        }
        if (!rests) return
        this.looking = undefined
        const done = then()
        this.release()
        resume(Effect.succeed(done))
      }
      this.looking()
      return Effect.sync(() => {
        this.looking = undefined
        this.release()
      })
    })
    const late = Effect.suspend(() => {
      const members = [...this.members].filter(([, { cell }]) => !isAtRest(cell)).map(([name]) => name)
      return Effect.fail(new NotAtRest({ members, millis: this.patienceMillis }))
    })
    // After what runs now: the caller may be a handler of a member.
    return Effect.andThen(
      Effect.yieldNow,
      Effect.timeoutOrElse(come, { duration: this.patienceMillis, orElse: () => late })
    )
  }

  private release(): void {
    for (const { cell } of this.members.values()) {
      if (cell.rare !== undefined) cell.rare.freeze = undefined
      if (cell.status !== "frozen") continue
      cell.status = "running"
      cell.goOn()
    }
  }

  // -------------------------------------------------------------------------------------------------- forth, and back

  /** Returns the number of the checkpoint. */
  readonly save: Effect.Effect<number, NotAtRest | NotWritable | StorageError> = Effect.suspend(() =>
    this.turns.withPermit(
      Effect.gen({ self: this }, function* () {
        const images = yield* this.cut
        const number = this.number + 1
        const members = yield* this.written(images)
        yield* this.slots.write({ number, atMillis: yield* Clock.currentTimeMillis, members })
        this.number = number
        for (const [{ member }, image] of images) member.image = image
        return number
      })
    )
  )

  /** Of members that are at one point. */
  private readonly cut: Effect.Effect<ReadonlyMap<Named, Image>, NotAtRest> = Effect.suspend(() =>
    Effect.flatMap(
      this.atRest(() => {
        if (this.isBehind) return undefined
        const images = new Map<Named, Image>()
        for (const [name, member] of this.members) images.set({ name, member }, look(member.cell))
        return images
      }),
      (images) => (images === undefined ? Effect.andThen(this.back, this.cut) : Effect.succeed(images))
    )
  )

  private written(images: ReadonlyMap<Named, Image>): Effect.Effect<Saved["members"], NotWritable> {
    const written = new Map(this.unclaimed)
    return Effect.map(
      Effect.forEach(
        images,
        ([{ member, name }, image]) =>
          Effect.try({
            try: () => written.set(name, { version: member.form.version, json: member.form.write(image) }),
            catch: (error) => new NotWritable({ member: name, reason: String(error) })
          }),
        { discard: true }
      ),
      // Whatever the names: "__proto__" is one.
      () => Object.fromEntries(written)
    )
  }

  /** Returns the number of the checkpoint that all are at again. */
  readonly rollback: Effect.Effect<number, NotAtRest | NoCheckpoint> = Effect.suspend(() =>
    this.turns.withPermit(
      Effect.gen({ self: this }, function* () {
        yield* this.back
        if (this.number === 0) return yield* new NoCheckpoint({ name: this.name })
        return this.number
      })
    )
  )

  /** One that is younger than the checkpoint stays as it is; where there is none, all do. */
  private readonly back: Effect.Effect<void, NotAtRest> = Effect.suspend(() =>
    this.atRest(() => {
      this.isBehind = false
      for (const { cell, image } of this.members.values()) {
        if (image === undefined) continue
        cell.status = "frozen"
        goBack(cell, image)
      }
    })
  )
}

interface Named {
  readonly name: string
  readonly member: Member
}

const isAtRest = ({ status }: Cell): boolean => status === "idle" || status === "ready" || status === "frozen"

/** What it is, and what waits for it. */
const look = (cell: Cell): Image => {
  const { status } = cell
  cell.status = "frozen"
  const still = Moving.still(cell)
  const image = imageOf(cell, still)
  if (status === "frozen") Moving.restore(cell, still)
  else Moving.thaw(cell, still)
  return image
}
