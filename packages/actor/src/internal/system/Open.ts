import type { Exit } from "effect"
import { Question } from "./envelopes.ts"
import type { RemoteRef } from "./RemoteRef.ts"

/** A question to another node. */
export class RemoteQuestion extends Question {
  readonly id: number
  readonly ref: RemoteRef
  private readonly open: Open

  constructor(message: { readonly _tag: string }, ref: RemoteRef, open: Open) {
    super(message, ref)
    this.ref = ref
    this.open = open
    this.id = open.add(this)
  }

  override end(exit: Exit.Exit<any, any>): void {
    this.open.delete(this.id)
    super.end(exit)
  }
}

const fewestPlaces = 64

/**
 * Questions that are open, by their numbers. Each has the place of its number's last bits: a `Map` whose entries come and go
 * all the time is copied again and again, and what it was before keeps alive what it held.
 */
export class Open {
  size = 0
  private places: Array<RemoteQuestion | undefined> = placesOf(fewestPlaces)
  private lastId = 0

  /** Gives it a number, that no other has had. */
  add(question: RemoteQuestion): number {
    if (2 * this.size >= this.places.length) this.grow()
    const { places } = this
    let id = this.lastId + 1
    while (places[id & (places.length - 1)] !== undefined) id++
    places[id & (places.length - 1)] = question
    this.lastId = id
    this.size++
    return id
  }

  get(id: number): RemoteQuestion | undefined {
    const question = this.places[id & (this.places.length - 1)]
    return question?.id === id ? question : undefined
  }

  delete(id: number): void {
    if (this.get(id) === undefined) return
    this.places[id & (this.places.length - 1)] = undefined
    this.size--
  }

  all(): ReadonlyArray<RemoteQuestion> {
    return this.places.filter((question) => question !== undefined)
  }

  private grow(): void {
    const all = this.all()
    this.places = placesOf(2 * this.places.length)
    for (const question of all) this.places[question.id & (this.places.length - 1)] = question
  }
}

const placesOf = (count: number): Array<RemoteQuestion | undefined> => Array.from({ length: count }, () => undefined)
