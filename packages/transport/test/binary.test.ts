/** `Codec.binary` holds to its schema: what it takes, what it gives back, and what it makes of bytes that are none. */
import { Codec, Reader, Writer } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { compile } from "../src/internal/binary/compile.ts"
import { random } from "./support.ts"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Int, y: Schema.Int }) {}

class Full extends Schema.TaggedError<Full>()("Full", { capacity: Schema.Int }) {}
class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

class Place {
  readonly at: number
  constructor(at: number, fate?: "gone" | "cursed") {
    this.at = at
    Object.defineProperty(this, "fate", { value: fate })
  }
}
const isPlace = (value: unknown): value is Place & { readonly fate?: string } => value instanceof Place
const refused = Effect.fail(new SchemaIssue.InvalidValue({ message: "it is nowhere" }))

/** A kind of its own, made of a struct and back. */
const PlaceSchema = Schema.Struct({ at: Schema.Int }).pipe(
  Schema.decodeTo(
    Schema.declare(isPlace),
    SchemaTransformation.transformEffect<Place & { readonly fate?: string }, { readonly at: number }>({
      decode: ({ at }) => (at === 4 ? refused : Effect.succeed(new Place(at))),
      encode: ({ at, fate }) => {
        if (fate === "cursed") throw new Error("thrown")
        return fate === "gone" ? refused : Effect.succeed({ at })
      }
    })
  )
)

/** As many as the text has letters. */
const Ones = Schema.String.pipe(
  Schema.decodeTo(
    Schema.declare((value: unknown): value is ReadonlyArray<number> => Array.isArray(value)),
    SchemaTransformation.transform<ReadonlyArray<number>, string>({
      decode: (text) => Array.from(text, () => 1),
      encode: (ones) => ones.map(String).join("")
    })
  )
)

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const schemas: Readonly<Record<string, Codec.MessageSchema<any>>> = {
  string: Schema.String,
  number: Schema.Number,
  finite: Schema.Finite,
  int: Schema.Int,
  byte: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })),
  int32: Schema.Number.check(Schema.isInt32()),
  boolean: Schema.Boolean,
  null: Schema.Null,
  undefined: Schema.Undefined,
  bigint: Schema.BigInt,
  date: Schema.Date,
  bytes: Schema.Uint8Array,
  literal: Schema.Literal("a"),
  literals: Schema.Literals(["a", "b", 3, true]),
  "not empty": Schema.NonEmptyString,
  "null or": Schema.NullOr(Schema.String),
  "undefined or": Schema.UndefinedOr(Schema.Int),
  "number or text": Schema.Union([Schema.Number, Schema.String, Schema.Array(Schema.Boolean)]),
  array: Schema.Array(Schema.Int),
  "array of nulls": Schema.Array(Schema.Null),
  "short array": Schema.Array(Schema.Int).check(Schema.isMaxLength(2)),
  "with a head": Schema.NonEmptyArray(Schema.Int),
  "two heads": Schema.TupleWithRest(Schema.Tuple([Schema.Int, Schema.Int]), [Schema.Int]),
  tuple: Schema.Tuple([Schema.String, Schema.Int]),
  "tuple, one optional": Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)]),
  struct: Schema.Struct({ a: Schema.Int, b: Schema.String }),
  "struct, optional": Schema.Struct({ a: Schema.optionalKey(Schema.Int), b: Schema.optional(Schema.String) }),
  "struct, may be undefined": Schema.Struct({ a: Schema.UndefinedOr(Schema.Int) }),
  "struct, a default": Schema.Struct({ a: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7))) }),
  "struct, odd keys": Schema.Struct({ "a-b": Schema.Int, 'c"\\': Schema.Int, constructor: Schema.Int }),
  "struct, __proto__": Schema.Struct({ ["__proto__"]: Schema.Int }),
  "struct, a date": Schema.Struct({ at: Schema.Date, maybe: Schema.optionalKey(Schema.Date) }),
  "struct, checked": Schema.Struct({ a: Schema.Int, b: Schema.Int }).check(Schema.makeFilter(({ a, b }) => a <= b)),
  "of a class": Point,
  "of texts": Schema.Record(Schema.String, Schema.Int),
  "of some texts": Schema.Record(Schema.TemplateLiteral(["k", Schema.Int]), Schema.Int),
  place: PlaceSchema,
  "struct, a place": Schema.Struct({ from: PlaceSchema, to: Schema.optionalKey(PlaceSchema) }),
  "place or none": Schema.NullOr(PlaceSchema),
  "place, checked": PlaceSchema.check(Schema.makeFilter(({ at }) => at !== 2)),
  ones: Ones,
  tree: Tree,
  tagged: Schema.Union([
    Schema.TaggedStruct("A", { x: Schema.Int }),
    Schema.TaggedStruct("B", { y: Schema.optionalKey(Schema.String) }),
    Schema.TaggedStruct("C", {})
  ]),
  "of failures": Schema.Union([Full, Gone, Schema.TaggedStruct("A", { x: Schema.Int })]),
  "one tagged": Schema.Union([Schema.TaggedStruct("A", { x: Schema.Int })]),
  untagged: Schema.Union([Schema.Struct({ x: Schema.Int }), Schema.Struct({ y: Schema.Int })]),
  "exactly one": Schema.Union([Schema.Int, Schema.Boolean], { mode: "oneOf" }),
  "text to number": Schema.NumberFromString,
  option: Schema.Option(Schema.Int),
  "option of an option": Schema.Option(Schema.Option(Schema.Int))
}

const next = random(5)

const values: ReadonlyArray<unknown> = [
  ...[0, -0, 1, -1, -16, -17, 223, 224, 255, 256, 32767, 32768, -32768, -32769, 65535, 65536, 2 ** 31 - 1, 2 ** 31],
  ...[
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 48 - 1,
    2 ** 48,
    2 ** 53 - 1,
    2 ** 53,
    -(2 ** 53) + 1,
    1e300,
    0.5,
    -0.5
  ],
  ...[Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, 1n, 2n ** 70n],
  ...Array.from({ length: 50 }, () => Math.floor((next() - 0.5) * 2 ** Math.floor(next() * 54))),
  ...[
    "",
    "a",
    "b",
    "é",
    "語😀",
    "\ud800",
    "a\udfff",
    "\ufeff",
    "\u0000",
    "x".repeat(63),
    "x".repeat(64),
    "x".repeat(65)
  ],
  ...["é".repeat(64), `${"a".repeat(63)}é`, "12", "k1", "語".repeat(300)],
  ...[true, false, null, undefined, Symbol.iterator, () => 1],
  ...[new Date(0), new Date(1e12), new Date(Number.NaN), new Uint8Array(0), Uint8Array.of(1, 255), Buffer.from("text")],
  ...[
    [],
    [1],
    [1, 2],
    [1, 2, 3],
    [null],
    [null, null],
    [true, false],
    ["a"],
    ["a", 1],
    ["a", 1, 2],
    [undefined],
    [0.5]
  ],
  // oxlint-disable-next-line no-sparse-arrays
  ...[[1, , 2], Array.from({ length: 300 }, (_, i) => i)],
  ...[
    {},
    { a: 1 },
    { a: 1, b: "b" },
    { a: 1, b: 2 },
    { a: 2, b: 1 },
    { b: undefined },
    { a: undefined },
    { a: 1, c: 1 }
  ],
  ...[{ b: "text" }, { "a-b": 1, 'c"\\': 2, constructor: 3 }, { "a-b": 1 }, JSON.parse('{"__proto__": 1}')],
  ...[{ at: new Date(5) }, { at: new Date(5), maybe: new Date(6) }, new Point({ x: 1, y: 2 }), { x: 1, y: 2 }],
  ...[1, 2, 3, 0.5].map((at) => new Place(at)),
  ...[new Place(1, "gone"), new Place(1, "cursed")],
  ...[
    { from: new Place(1) },
    { from: new Place(1), to: new Place(2) },
    { from: new Place(1, "cursed") },
    { from: { at: 1 } }
  ],
  ...[{ x: 1 }, { y: 1 }, { k1: 1 }, { k1: 1, k: 2 }, { k1: "text" }, Object.create({ a: 1, b: "inherited" })],
  ...[
    { value: 1, children: [{ value: 2, children: [] }] },
    { value: 1, children: [{ value: 2 }] }
  ],
  ...[
    { _tag: "A", x: 1 },
    { _tag: "A" },
    { _tag: "B" },
    { _tag: "B", y: "y" },
    { _tag: "B", y: 1 },
    { _tag: "C", z: 1 }
  ],
  ...[
    { _tag: "D" },
    Object.assign([1], { _tag: "C" }),
    new Full({ capacity: 1 }),
    new Gone(),
    Option.none(),
    Option.some(1),
    Option.some("text"),
    Option.some(Option.none()),
    Option.some(Option.some(3))
  ]
]

/** What its schema makes of a value, there and back. */
const expected = (schema: Codec.MessageSchema<any>, value: unknown): { readonly value: unknown } | undefined => {
  try {
    const given = Schema.decodeUnknownSync(schema)(Schema.encodeUnknownSync(schema)(value))
    return { value: given instanceof Uint8Array ? Uint8Array.from(given) : given }
  } catch {
    return undefined
  }
}

describe.each(Object.entries(schemas))("the binary codec of a schema: %s", (name, schema) => {
  const codec = Codec.binary(schema)

  it("takes what the schema takes, gives it back as the schema would, and refuses the rest", () => {
    let taken = 0
    for (const value of values) {
      const right = expected(schema, value)
      if (right === undefined) {
        const writer = new Writer(8)
        expect(() => codec.write(value, writer)).toThrow(Error)
        expect(writer.length).toBe(0)
      } else {
        taken++
        expect(Codec.decode(codec, Codec.encode(codec, value))).toStrictEqual(right.value)
      }
    }
    expect(taken, `no value is of the schema ${name}`).toBeGreaterThan(0)
  })

  it("refuses bytes that are cut or go on, and survives any others", () => {
    for (const value of values) {
      if (expected(schema, value) === undefined) continue
      const whole = Codec.encode(codec, value)
      for (let length = 0; length < Math.min(whole.length, 40); length++) {
        expect(() => Codec.decode(codec, whole.slice(0, length))).toThrow(Error)
      }
      expect(() => Codec.decode(codec, Uint8Array.of(...whole, 0))).toThrow(Error)
      for (let hit = 0; hit < 10; hit++) {
        const damaged = whole.slice()
        damaged[4 + Math.floor(next() * (damaged.length - 4))] = Math.floor(next() * 256)
        let read: unknown
        try {
          read = Codec.decode(codec, damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
          continue
        }
        // What it gives is of the schema.
        Schema.encodeSync(schema)(read)
      }
    }
  })

  it("is the same without code that is made", () => {
    const [made, plain] = [compile(schema.ast, true), compile(schema.ast, false)]
    if (made === undefined || plain === undefined) return expect(made).toBe(plain)
    expect(plain.layout).toBe(made.layout)
    expect(plain.least).toBe(made.least)
    for (const value of values) {
      const [one, other] = [new Writer(8), new Writer(8)]
      const isTaken = made.write(value, one)
      expect(plain.write(value, other)).toBe(isTaken)
      if (!isTaken) continue
      const bytes = one.take()
      expect([...other.take()]).toEqual([...bytes])
      expect(bytes.length).toBeGreaterThanOrEqual(made.least)
      const read = made.read(new Reader(bytes, 0, bytes.length))
      expect(plain.read(new Reader(bytes, 0, bytes.length))).toStrictEqual(read)
    }
  })
})

describe("the binary codec", () => {
  it("tells the layouts of schemas apart", () => {
    const layouts = Object.values(schemas).map(({ ast }) => compile(ast)?.layout)
    const known = layouts.filter((layout) => layout !== undefined && !layout.includes("?"))
    // Those that differ in their checks alone have one layout.
    const same = ["finite", "int", "byte", "int32", "not empty", "short array", "one tagged"]
    expect(new Set(known).size).toBeGreaterThanOrEqual(known.length - same.length - 2)
    const [a, b] = [Schema.Struct({ a: Schema.Int }), Schema.Struct({ a: Schema.optionalKey(Schema.Int) })]
    expect(() => Codec.decode(Codec.binary(b), Codec.encode(Codec.binary(a), { a: 1 }))).toThrow("of another schema")
  })

  it("takes no more memory for a message than there are bytes for", () => {
    const codec = Codec.binary(Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])))
    const bytes = Codec.encode(codec, [[1, 2]])
    // It says that it has 2^42 items.
    const lies = Uint8Array.of(...bytes.subarray(0, 4), 128, 128, 128, 128, 128, 128, 1, ...bytes.subarray(5))
    expect(() => Codec.decode(codec, lies)).toThrow("too early")
  })

  it("leaves to others what it does not know for sure", () => {
    for (const schema of [Schema.Array(Schema.Null), schemas["exactly one"]!, Schema.BigInt, Schema.Struct({})]) {
      expect(compile(schema.ast)).toBe(undefined)
    }
  })

  it("keeps nothing of the bytes that it reads", () => {
    const codec = Codec.binary(Schema.Struct({ bytes: Schema.Uint8Array, text: Schema.String }))
    const wire = Buffer.from(Codec.encode(codec, { bytes: Uint8Array.of(1, 2, 3), text: "é" }))
    const got = codec.read(wire, 0, wire.length)
    wire.fill(0xff)
    expect(got).toStrictEqual({ bytes: Uint8Array.of(1, 2, 3), text: "é" })
  })

  it("takes any value where its schema does, of those that are JSON", () => {
    const codec = Codec.binary(Schema.Unknown)
    for (const value of [1, "a", { a: [1, null, { b: "é" }] }, [true]]) {
      expect(Codec.decode(codec, Codec.encode(codec, value))).toStrictEqual(value)
    }
    expect(() => Codec.encode(codec, () => 1)).toThrow("no data")
  })

  it("asks nothing of a kind of others that may throw at it", () => {
    const isKind = (value: any): value is { readonly kind: "a" } => value.kind === "a"
    const Kind = Schema.Struct({ kind: Schema.Literal("a") }).pipe(
      Schema.decodeTo(Schema.declare(isKind), SchemaTransformation.passthrough())
    )
    const codec = Codec.binary(Schema.Struct({ one: Kind }))
    expect(Codec.decode(codec, Codec.encode(codec, { one: { kind: "a" as const } }))).toStrictEqual({
      one: { kind: "a" }
    })
    expect(() => Codec.encode(codec, {} as never)).toThrow(Error)
  })

  it("does not read what its schema does not make", () => {
    const codec = Codec.binary(PlaceSchema)
    expect(Codec.decode(codec, Codec.encode(codec, new Place(3)))).toStrictEqual(new Place(3))
    expect(() => Codec.decode(codec, Codec.encode(codec, new Place(4)))).toThrow("it is nowhere")
  })

  it("says what is wrong with a message as its schema does", () => {
    const codec = Codec.binary(Schema.Struct({ at: Schema.Struct({ x: Schema.Int }) }))
    expect(() => Codec.encode(codec, { at: { x: 0.5 } })).toThrow(/integer[\s\S]*at[\s\S]*x/)
  })
})
