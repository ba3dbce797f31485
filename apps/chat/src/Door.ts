/**
 * The door of a node: how many may stand in it without a name and for how long, and how much of what is read from somebody,
 * or waits to be written to them, is kept. Whoever asks for more is told so, and hung up on.
 */
import { Context, Effect, Layer, Schema } from "effect"

export interface Limits {
  /** Connections that have not said a name. Default: 200. */
  readonly maxUnnamed: number
  /** How long they may take. Default: a minute. */
  readonly nameMillis: number
  /** Characters of a line that is read. Default: 2,100. */
  readonly maxLine: number
  /** Bytes that wait for somebody who reads more slowly than others write. Default: 4 MiB. */
  readonly maxOutputBytes: number
}

export const defaults: Limits = {
  maxUnnamed: 200,
  nameMillis: 60_000,
  maxLine: 2_100,
  maxOutputBytes: 4 * 1024 * 1024
}

/** From which to which number each may be. */
export const ranges = {
  maxUnnamed: [1, 100_000],
  nameMillis: [1, 86_400_000],
  maxLine: [100, 1_000_000],
  maxOutputBytes: [1_000, 2 ** 30]
} as const satisfies Record<keyof Limits, readonly [number, number]>

const within = (name: keyof Limits) => {
  const [minimum, maximum] = ranges[name]
  return Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
}

/** As a configuration gives them. */
export const Limits = Schema.Struct({
  maxUnnamed: within("maxUnnamed"),
  nameMillis: within("nameMillis"),
  maxLine: within("maxLine"),
  maxOutputBytes: within("maxOutputBytes")
})

// ----------------------------------------------------------------------------------------------------------- refusals

export class Crowded extends Schema.TaggedError<Crowded>()("Crowded", { unnamed: Schema.Int }) {
  override get message(): string {
    return `${this.unnamed} others have not said who they are, which is as many as may. Try later`
  }
}

export class Nameless extends Schema.TaggedError<Nameless>()("Nameless", { millis: Schema.Int }) {
  override get message(): string {
    return `You have not said who you are within ${this.millis / 1000} seconds. Come again`
  }
}

export class LineTooLong extends Schema.TaggedError<LineTooLong>()("LineTooLong", { characters: Schema.Int }) {
  override get message(): string {
    return `A line has up to ${this.characters} characters`
  }
}

export class SlowReader extends Schema.TaggedError<SlowReader>()("SlowReader", { bytes: Schema.Int }) {
  override get message(): string {
    return `More than ${this.bytes} bytes wait for you: you read too slowly. Come again`
  }
}

export type Refusal = Crowded | Nameless | LineTooLong | SlowReader

// --------------------------------------------------------------------------------------------------------- who is in it

/** Somebody's place in the door, until they are in, or their connection is closed. */
export interface Place {
  /** How many there were. */
  readonly before: number
  readonly leave: () => void
}

export class Door extends Context.Service<
  Door,
  {
    readonly limits: Limits
    readonly come: Effect.Effect<Place>
  }
>()("@troupe/chat/Door") {}

export const layer = (given: typeof Limits.Type = {}): Layer.Layer<Door> =>
  Layer.sync(Door, () => {
    const places = new Set<Place>()
    const come = Effect.sync(() => {
      const place: Place = { before: places.size, leave: () => void places.delete(place) }
      places.add(place)
      return place
    })
    return { limits: { ...defaults, ...given }, come }
  })
