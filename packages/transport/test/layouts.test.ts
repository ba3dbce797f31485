/** Bytes of one schema are read by no other: pairs that chance makes, most of them alike but for one place. */
import { Codec } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Option, Schema } from "effect"
import { random } from "./support.ts"

const next = random(17)
const below = (count: number): number => Math.floor(next() * count)
const among = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!

/** What a schema is made of: the place in a list of kinds, and what these are made of. */
interface Plan {
  readonly kind: keyof typeof kinds
  readonly parts: ReadonlyArray<Plan>
  readonly name: string
}

interface Made {
  readonly schema: Schema.Codec<any, any>
  readonly value: unknown
  /** How its values are on their way, in words of this test. */
  readonly form: string
}

const leaf = (form: string, schema: Schema.Codec<any, any>, value: unknown) => (): Made => ({ schema, value, form })

const kinds = {
  string: leaf("text", Schema.String, "a"),
  trimmed: leaf("text", Schema.Trim, "b"),
  number: leaf("number", Schema.Number, 1),
  int: leaf("number", Schema.Int, 2),
  boolean: leaf("yes or no", Schema.Boolean, true),
  bigint: leaf("large number", Schema.BigInt, 3n),
  bytes: leaf("bytes", Schema.Uint8Array, Uint8Array.of(1)),
  date: leaf("date", Schema.Date, new Date(0)),
  time: leaf("time", Schema.DateTimeUtc, DateTime.makeUnsafe(0)),
  null: leaf("null", Schema.Null, null),
  literal: (_: ReadonlyArray<Made>, name: string): Made => ({
    schema: Schema.Literal(name),
    value: name,
    form: `literal ${name}`
  }),
  array: ([of]: ReadonlyArray<Made>): Made => ({
    schema: Schema.Array(Schema.Tuple([of!.schema, Schema.Boolean])),
    value: [[of!.value, true]],
    form: `list of (${of!.form}, yes or no)`
  }),
  option: ([of]: ReadonlyArray<Made>): Made => ({
    schema: Schema.Option(of!.schema),
    value: Option.some(of!.value),
    form: `option of (${of!.form})`
  }),
  tuple: (parts: ReadonlyArray<Made>): Made => ({
    schema: Schema.Tuple(parts.map(({ schema }) => schema)),
    value: parts.map(({ value }) => value),
    form: `all of (${parts.map(({ form }) => form).join(", ")})`
  }),
  record: ([of]: ReadonlyArray<Made>): Made => ({
    schema: Schema.Record(Schema.String, of!.schema),
    value: { key: of!.value },
    form: `by name (${of!.form})`
  }),
  map: ([of]: ReadonlyArray<Made>): Made => ({
    schema: Schema.ReadonlyMap(Schema.String, of!.schema),
    value: new Map([["key", of!.value]]),
    form: `map of (${of!.form})`
  }),
  struct: ([of, other]: ReadonlyArray<Made>, name: string): Made => ({
    schema: Schema.Struct({ first: other!.schema, [name]: of!.schema }),
    value: { first: other!.value, [name]: of!.value },
    form: `fields first (${other!.form}), ${name} (${of!.form})`
  }),
  class: ([of, other]: ReadonlyArray<Made>, name: string): Made => {
    class Thing extends Schema.Class<Thing>("Thing")({ first: other!.schema, [name]: of!.schema }) {}
    return {
      schema: Thing,
      value: new Thing({ first: other!.value, [name]: of!.value } as never),
      form: `fields first (${other!.form}), ${name} (${of!.form})`
    }
  },
  optional: ([of, other]: ReadonlyArray<Made>, name: string): Made => ({
    schema: Schema.Struct({ first: other!.schema, [name]: Schema.optionalKey(of!.schema) }),
    value: { first: other!.value },
    form: `fields first (${other!.form}), perhaps ${name} (${of!.form})`
  }),
  tagged: ([of, other]: ReadonlyArray<Made>, name: string): Made => ({
    schema: Schema.Union([
      Schema.TaggedStruct("A", { of: of!.schema }),
      Schema.TaggedStruct(name, { of: other!.schema })
    ]),
    value: { _tag: "A", of: of!.value },
    form: `A with (${of!.form}) or ${name} with (${other!.form})`
  }),
  later: ([of]: ReadonlyArray<Made>): Made => ({
    schema: Schema.Option(Schema.suspend(() => of!.schema)),
    value: Option.some(of!.value),
    form: `later (${of!.form})`
  }),
  nested: ([of]: ReadonlyArray<Made>, name: string): Made => {
    const self: Schema.Codec<any, any> = Schema.Struct({
      [name]: of!.schema,
      next: Schema.Option(Schema.suspend(() => self))
    })
    const value = (next: Option.Option<unknown>) => ({ [name]: of!.value, next })
    return {
      schema: self,
      value: value(Option.some(value(Option.none()))),
      form: `chain of ${name} (${of!.form})`
    }
  }
}

const names = Object.keys(kinds) as ReadonlyArray<keyof typeof kinds>
const leaves = names.slice(0, names.indexOf("array"))
const branches = names.slice(leaves.length)

const plan = (depth: number): Plan => ({
  kind: among(depth === 0 ? leaves : branches),
  parts: depth === 0 ? [] : [plan(depth - 1), plan(depth - 1)],
  name: among(["a", "b", "c"])
})

/** The same but for one place. */
const altered = (of: Plan, depth: number): Plan => {
  if (depth > 0 && next() < 0.7) {
    const place = below(2)
    return { ...of, parts: of.parts.map((part, i) => (i === place ? altered(part, depth - 1) : part)) }
  }
  return next() < 0.5 ? { ...of, name: among(["a", "b", "c"]) } : { ...plan(depth), parts: of.parts }
}

const made = ({ kind, name, parts }: Plan): Made => kinds[kind](parts.map(made), name)

describe("a pair of schemas that chance makes", () => {
  const pairs = Array.from({ length: 600 }, () => {
    const one = plan(2)
    return [made(one), made(altered(one, 2))] as const
  })
  const isAlike = ([one, other]: readonly [Made, Made]): boolean => one.form === other.form

  it("is refused each other's bytes by a typed error that says what to do, unless they are alike on their way", () => {
    for (const [one, other] of pairs.filter((pair) => !isAlike(pair))) {
      const [writes, reads] = [Codec.binary(one.schema), Codec.binary(other.schema)]
      const bytes = Codec.encode(writes, one.value)
      expect(() => Codec.decode(reads, bytes), `${one.form}\n${other.form}`).toThrow(Codec.OtherSchema)
      expect(() => Codec.decode(reads, bytes)).toThrow("same version of the schema")
      expect(Codec.decode(writes, bytes)).toStrictEqual(one.value)
    }
  })

  it("reads each other's bytes if they are alike: it is a value of the schema, or refused", () => {
    for (const [one, other] of pairs.filter(isAlike)) {
      const bytes = Codec.encode(Codec.binary(one.schema), one.value)
      const codec = Codec.binary(other.schema)
      let value: unknown
      try {
        value = Codec.decode(codec, bytes)
      } catch (error) {
        expect(error).not.toBeInstanceOf(Codec.OtherSchema)
        continue
      }
      expect(Codec.encode(codec, value)).toStrictEqual(bytes)
    }
  })

  it("is of both sorts often enough", () => {
    const alike = pairs.filter(isAlike).length
    expect(alike).toBeGreaterThan(20)
    expect(pairs.length - alike).toBeGreaterThan(200)
  })
})
