/** `Codec.binary` holds to its schema: what it takes, what it gives back, and what it makes of bytes that are none. */
import { Codec, Reader, Writer } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import {
  BigDecimal,
  Chunk,
  DateTime,
  Duration,
  Effect,
  Equal,
  Exit,
  HashMap,
  Option,
  Result,
  Schema,
  SchemaGetter,
  SchemaIssue,
  SchemaTransformation
} from "effect"
import { compile } from "../src/internal/binary/compile.ts"
import { mostDepth, TooDeep } from "../src/internal/binary/recursion.ts"
import type { Part } from "../src/internal/binary/Part.ts"
import { random } from "./support.ts"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Int, y: Schema.Int }) {}

class Point3 extends Point.extend<Point3>("Point3")({ z: Schema.FiniteFromString }) {
  get sum(): number {
    return this.x + this.y + this.z
  }
}
class Named extends Schema.TaggedClass<Named>()("Named", { name: Schema.String, at: Schema.optionalKey(Point) }) {}
const Diagonal = Point.check(Schema.makeFilter(({ x, y }) => x === y))

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

class Folder extends Schema.Class<Folder>("Folder")({
  name: Schema.String,
  folders: Schema.Array(Schema.suspend((): Schema.Codec<Folder> => Folder))
}) {}

interface Sum {
  readonly _tag: "Sum"
  readonly of: ReadonlyArray<Term>
}
type Term = Sum | { readonly _tag: "Value"; readonly value: number }
const Term: Schema.Codec<Term, any> = Schema.Union([
  Schema.suspend((): Schema.Codec<Sum, any> => Sum),
  Schema.TaggedStruct("Value", { value: Schema.NumberFromString })
])
const Sum = Schema.TaggedStruct("Sum", { of: Schema.Array(Schema.suspend(() => Term)) })

interface Chain {
  readonly text: string
  readonly next?: Chain | undefined
}
const Chain = Schema.Struct({
  text: Schema.Trim,
  next: Schema.optional(Schema.suspend((): Schema.Codec<Chain, any> => Chain))
})

const seven = Effect.succeed(7)

/** Half of a character. */
const half = "\ud800"

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
  "of an extended class": Point3,
  "of a tagged class": Named,
  "of a checked class": Diagonal,
  "of instances of a class": Schema.toType(Point3),
  "a class or none": Schema.NullOr(Point),
  "classes, by their tags": Schema.Union([Named, Full]),
  "classes, one after the other": Schema.Union([Point3, Point]),
  "of a class that holds itself": Folder,
  "of two that hold each other": Term,
  "one that holds itself at last": Chain,
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
  "text to number, optional": Schema.Struct({ a: Schema.optionalKey(Schema.NumberFromString) }),
  "text to a date": Schema.DateFromString,
  "text, trimmed": Schema.Trim,
  "text to text to number": Schema.String.pipe(Schema.decodeTo(Schema.Trim), Schema.decodeTo(Schema.FiniteFromString)),
  "with another key": Schema.Struct({ a: Schema.Int, b: Schema.String }).pipe(Schema.encodeKeys({ b: "c" })),
  "a default that is not sent": Schema.Struct({
    a: Schema.Int.pipe(Schema.withDecodingDefaultKey(seven, { encodingStrategy: "omit" })),
    b: Schema.optionalKey(Schema.String)
  }),
  "a default for undefined": Schema.Struct({ a: Schema.Int.pipe(Schema.withDecodingDefault(seven)) }),
  "a default of a text": Schema.Struct({
    a: Schema.FiniteFromString.pipe(Schema.withDecodingDefaultTypeKey(seven))
  }),
  "texts to numbers": Schema.Tuple([Schema.NumberFromString, Schema.Trim]),
  object: Schema.Struct({ any: Schema.ObjectKeyword }),
  nothing: Schema.Void,
  "struct, nothing": Schema.Struct({ a: Schema.Void }),
  enum: Schema.Enum({ A: "a", One: 1 }),
  template: Schema.TemplateLiteral(["k", Schema.Int]),
  "of checked texts": Schema.Record(Schema.String.check(Schema.isMinLength(2)), Schema.Int),
  map: Schema.ReadonlyMap(Schema.String, Schema.NumberFromString),
  set: Schema.ReadonlySet(Schema.String),
  "hash map": Schema.HashMap(Schema.String, Schema.Int),
  "hash map of a class": Schema.HashMap(Schema.FiniteFromString, Point3),
  chunk: Schema.Chunk(Schema.String),
  result: Schema.Result(Schema.Int, Schema.String),
  exit: Schema.Exit(Schema.Int, Full, Schema.String),
  duration: Schema.Duration,
  "date and time": Schema.DateTimeUtc,
  url: Schema.URL,
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
  ],
  ...[new Point3({ x: 1, y: 2, z: 0.5 }), new Point({ x: 3, y: 3 }), new Named({ name: half })],
  ...[new Named({ name: "", at: new Point({ x: 1, y: 1 }) }), Object.assign(new Named({ name: "n" }), { name: 1 })],
  ...[
    new Folder({ name: half, folders: [] }),
    new Folder({ name: "", folders: [new Folder({ name: "a", folders: [] }), new Folder({ name: "b", folders: [] })] }),
    { _tag: "Value", value: -1.5 },
    {
      _tag: "Sum",
      of: [
        { _tag: "Value", value: 1 },
        { _tag: "Sum", of: [] }
      ]
    },
    { _tag: "Sum", of: [{ _tag: "Value" }] },
    { text: half },
    { text: "a", next: undefined },
    { text: "a", next: { text: "b", next: { text: half } } },
    { text: " a" }
  ],
  ...[{ a: 1, b: half }, { b: half }, "k-1", "k", " 1 "],
  ...[
    new Map(),
    new Map([[half, 1]]),
    new Map([
      ["a", 1],
      ["", 0.5]
    ]),
    new Map([[1, 1]])
  ],
  ...[new Set(), new Set([half, ""]), new Set([1])],
  ...[
    HashMap.make([half, 1], ["b", 2]),
    HashMap.make([1, new Point3({ x: 1, y: 2, z: 3 })]),
    Chunk.make(half, "a"),
    Chunk.empty()
  ],
  ...[Result.succeed(1), Result.fail(half), Result.succeed("1")],
  ...[Exit.succeed(1), Exit.fail(new Full({ capacity: 1 })), Exit.die(half), Exit.interrupt(3), Exit.fail(1)],
  ...[Duration.seconds(1), Duration.infinity, Duration.nanos(5n), DateTime.makeUnsafe(5)],
  ...[new URL("http://a.b/?c"), [1, "a"]],
  ...[{ any: {} }, { any: [half] }, { any: 1 }, { [half]: [half, null, { a: 0.5 }] }],
  ...[{ xy: 1 }, { xy: 1, x: "no key" }, { [half]: 1, [`${half}b`]: 2 }]
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
      const isTaken = writes(made, value, one)
      expect(writes(plain, value, other)).toBe(isTaken)
      if (!isTaken) continue
      const bytes = one.take()
      expect([...other.take()]).toEqual([...bytes])
      expect(bytes.length).toBeGreaterThanOrEqual(made.least)
      const read = made.read(new Reader(bytes, 0, bytes.length))
      expect(plain.read(new Reader(bytes, 0, bytes.length))).toStrictEqual(read)
    }
  })
})

const writes = (part: Part, value: unknown, into: Writer): boolean => {
  try {
    return part.write(value, into)
  } catch {
    return false
  }
}

describe("what holds itself", () => {
  const Link = Schema.Struct({ next: Schema.Option(Schema.suspend((): Schema.Codec<Link> => Link)) })
  interface Link {
    readonly next: Option.Option<Link>
  }
  const codec = Codec.binary(Link)
  const links = (count: number): Link => ({ next: count === 0 ? Option.none() : Option.some(links(count - 1)) })

  const refusal = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (error) {
      return error
    }
  }

  it("is written and read down to a bound, below which it is refused either way", () => {
    const deepest = Codec.encode(codec, links(mostDepth))
    expect(Codec.encode(codec, Codec.decode(codec, deepest))).toStrictEqual(deepest)
    expect(refusal(() => Codec.encode(codec, links(mostDepth + 1)))).toBeInstanceOf(TooDeep)
    const deeper = Uint8Array.of(...deepest.subarray(0, -1), 1, 0)
    expect(refusal(() => Codec.decode(codec, deeper))).toBeInstanceOf(TooDeep)
    const deep = new Uint8Array(1_000_000).fill(1)
    deep.set(deepest.subarray(0, 4))
    expect(refusal(() => Codec.decode(codec, deep))).toBeInstanceOf(TooDeep)
    // The bound is of each message: none of those before is counted.
    expect(Codec.encode(codec, links(mostDepth))).toStrictEqual(deepest)
  })

  it("is refused where a value holds itself", () => {
    const children: Array<Tree> = []
    children.push({ value: 1, children })
    expect(refusal(() => Codec.encode(Codec.binary(Tree), { value: 0, children }))).toBeInstanceOf(TooDeep)
    const folder = new Folder({ name: "a", folders: [] })
    ;(folder.folders as Array<Folder>).push(folder)
    expect(refusal(() => Codec.encode(Codec.binary(Folder), folder))).toBeInstanceOf(TooDeep)
  })

  it("leaves of the stack enough, also with classes and unions between", () => {
    const terms = (count: number): Term =>
      count === 0 ? { _tag: "Value", value: 1 } : { _tag: "Sum", of: [terms(count - 1)] }
    const ofTerms = Codec.binary(Term)
    expect(Codec.decode(ofTerms, Codec.encode(ofTerms, terms(mostDepth / 2)))).toStrictEqual(terms(mostDepth / 2))
    expect(refusal(() => Codec.encode(ofTerms, terms(mostDepth)))).toBeInstanceOf(TooDeep)
    let folder = new Folder({ name: "last", folders: [] })
    for (let i = 0; i < mostDepth; i++) folder = new Folder({ name: "", folders: [folder] })
    const ofFolders = Codec.binary(Folder)
    expect(Codec.decode(ofFolders, Codec.encode(ofFolders, folder))).toStrictEqual(folder)
  })

  it("is looked at once, also where one holds another by a kind of its own", () => {
    let looks = 0
    const Leaf = Schema.String.check(Schema.makeFilter(() => ++looks > 0))
    interface Nest {
      readonly leaf: string
      readonly of: Chunk.Chunk<Nest>
    }
    const Nest = Schema.Struct({ leaf: Leaf, of: Schema.Chunk(Schema.suspend((): Schema.Codec<Nest> => Nest)) })
    let nest: Nest = { leaf: "", of: Chunk.empty() }
    for (let i = 1; i < 200; i++) nest = { leaf: "", of: Chunk.make(nest) }
    const ofNests = Codec.binary(Nest)
    const bytes = Codec.encode(ofNests, nest)
    expect(looks).toBe(200)
    Codec.decode(ofNests, bytes)
    expect(looks).toBe(400)
  })

  it("has another layout when what it holds has, also where that is met first in what is left to another codec", () => {
    const holding = (text: string): Codec.MessageSchema<any> => {
      const literal = Schema.suspend((): Schema.Codec<string> => Text)
      const Text = Schema.Literal(text)
      // Sets of what has no bytes are left to it.
      return Schema.Struct({ odd: Schema.ReadonlySet(literal), one: literal })
    }
    const [a, b] = ["a", "b"].map((text) => compile(holding(text).ast)!.layout)
    expect(a).not.toBe(b)
  })
})

describe("half of a character", () => {
  it.each([
    ["in a class", new Named({ name: half }), Named],
    ["in what holds itself", new Folder({ name: "", folders: [new Folder({ name: half, folders: [] })] }), Folder],
    [
      "in a text of several steps",
      half,
      Schema.String.pipe(Schema.decodeTo(Schema.Trim), Schema.decodeTo(Schema.Trim))
    ],
    [
      "in a map",
      new Map([[half, new Set([half])]]),
      Schema.ReadonlyMap(Schema.String, Schema.ReadonlySet(Schema.String))
    ],
    ["in a failure", Exit.fail(half), Schema.Exit(Schema.Void, Schema.String, Schema.Defect())],
    ["in any value", { [half]: [half] }, Schema.Unknown]
  ])("stays what it is, %s", (_, value, schema) => {
    const codec = Codec.binary(schema as Codec.MessageSchema<unknown>)
    expect(Codec.decode(codec, Codec.encode(codec, value))).toStrictEqual(value)
  })
})

describe("the binary codec", () => {
  it("tells the layouts of schemas apart", () => {
    const byLayout = new Map<string, Array<string>>()
    for (const [name, { ast }] of Object.entries(schemas)) {
      const layout = compile(ast)?.layout ?? "?"
      if (!layout.includes("?")) byLayout.set(layout, [...(byLayout.get(layout) ?? []), name])
    }
    // What is the same on its way differs in its checks alone, or in what is made of it.
    const texts = ["not empty", "ones", "text to number", "text to a date", "text, trimmed", "text to text to number"]
    expect([...byLayout.values()].filter(({ length }) => length > 1)).toEqual([
      ["string", ...texts, "template", "url"],
      ["number", "finite", "int", "byte", "int32"],
      ["array", "short array"],
      ["of a class", "of a checked class"],
      ["of texts", "of some texts", "of checked texts"],
      ["place", "place, checked"]
    ])
    const [a, b] = [Schema.Struct({ a: Schema.Int }), Schema.Struct({ a: Schema.optionalKey(Schema.Int) })]
    expect(() => Codec.decode(Codec.binary(b), Codec.encode(Codec.binary(a), { a: 1 }))).toThrow(Codec.OtherSchema)
  })

  it("takes no more memory for a message than there are bytes for", () => {
    const codec = Codec.binary(Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])))
    const bytes = Codec.encode(codec, [[1, 2]])
    // It says that it has 2^42 items.
    const lies = Uint8Array.of(...bytes.subarray(0, 4), 128, 128, 128, 128, 128, 128, 1, ...bytes.subarray(5))
    expect(() => Codec.decode(codec, lies)).toThrow("too early")
  })

  it("takes neither lists nor sets nor maps of what has no bytes, also where that was met before", () => {
    const none = Schema.suspend((): Schema.Codec<"none"> => None)
    const None = Schema.Literal("none")
    // A length alone would make any number of them.
    for (const schema of [Schema.Array(None), Schema.ReadonlySet(None), Schema.ReadonlyMap(None, None)]) {
      expect(compile(schema.ast)).toBeUndefined()
    }
    const codec = Codec.binary(Schema.Struct({ one: none, all: Schema.Array(none) }))
    expect(Codec.encode(codec, { one: "none", all: ["none"] }).length).toBeGreaterThan(5)
  })

  it("tells members of a union apart that may go without a tag", () => {
    const [a, b] = (["a", "b"] as const).map((tag) =>
      Schema.Struct({ tag: Schema.optionalKey(Schema.Literal(tag)), [tag]: Schema.Int })
    )
    const codec = Codec.binary(Schema.Union([a!, b!]))
    for (const value of [{ b: 1 }, { tag: "b", b: 1 }, { a: 1 }]) {
      expect(Codec.decode(codec, Codec.encode(codec, value as never))).toEqual(value)
    }
  })

  it("leaves to others what it does not know for sure", () => {
    for (const schema of [
      Schema.Array(Schema.Null),
      schemas["exactly one"]!,
      schemas["tuple, one optional"]!,
      Schema.Struct({})
    ]) {
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

  it("takes any value where its schema does, of those that are data", () => {
    const codec = Codec.binary(Schema.Unknown)
    const data = [null, undefined, true, -0, Number.NaN, half, 2n ** 70n, new Date(5), Uint8Array.of(1)]
    for (const value of [...data, data, { a: [1, null, { b: undefined }] }, [true], JSON.parse('{"__proto__": 1}')]) {
      expect(Codec.decode(codec, Codec.encode(codec, value))).toStrictEqual(value)
    }
    const json = Codec.binary(Schema.Json)
    const value = { [half]: [half, null, { a: 0.5 }] }
    expect(Codec.decode(json, Codec.encode(json, value))).toStrictEqual(value)
    for (const wrong of [Number.NaN, { a: undefined }]) {
      expect(() => Codec.encode(json, wrong as never)).toThrow("Expected JSON")
    }
    // Of these, JSON would make something else.
    for (const value of [() => 1, Symbol.iterator, new Map(), new Point({ x: 1, y: 2 }), [new Set()], Option.none()]) {
      expect(() => Codec.encode(codec, value)).toThrow("no data")
    }
    const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)])
    expect(() => Codec.encode(codec, nested(mostDepth))).toThrow(TooDeep)
    const marked = Codec.encode(codec, nested(mostDepth - 1))
    expect(Codec.encode(codec, Codec.decode(codec, marked))).toStrictEqual(marked)
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

  it("knows dates with their zones, and decimals", () => {
    const schema = Schema.Tuple([Schema.DateTimeZoned, Schema.BigDecimal])
    const value = [DateTime.makeZonedUnsafe(5, { timeZone: "Europe/Berlin" }), BigDecimal.make(15n, 1)] as const
    expect(compile(schema.ast)!.layout).toBe("[string,string]")
    expect(Equal.equals(Codec.decode(Codec.binary(schema), Codec.encode(Codec.binary(schema), value)), value)).toBe(
      true
    )
  })

  it("does not read what its schema does not make", () => {
    const codec = Codec.binary(PlaceSchema)
    expect(Codec.decode(codec, Codec.encode(codec, new Place(3)))).toStrictEqual(new Place(3))
    expect(() => Codec.decode(codec, Codec.encode(codec, new Place(4)))).toThrow("it is nowhere")
  })

  it("does not read keys that are none, nor leave out those that must be there", () => {
    const ofTexts = Codec.binary(Schema.Record(Schema.TemplateLiteral(["k", Schema.Int]), Schema.Int))
    const bytes = Codec.encode(ofTexts, { k1: 1 })
    bytes[bytes.indexOf("k".charCodeAt(0), 4)] = "x".charCodeAt(0)
    expect(() => Codec.decode(ofTexts, bytes)).toThrow("no key of the schema")
    const asIs = SchemaGetter.transformOptional((value: Option.Option<string>) => value)
    const ways = { decode: asIs, encode: asIs }
    const mayMiss = Schema.optionalKey(Schema.String)
    for (const a of [
      mayMiss.pipe(Schema.decodeTo(Schema.String, ways)),
      Schema.String.pipe(Schema.decodeTo(mayMiss, ways))
    ]) {
      const codec = Codec.binary(Schema.Struct({ a }) as Codec.MessageSchema<{ readonly a?: string }>)
      const mark = Codec.encode(codec, { a: "there" }).subarray(0, 4)
      expect(() => Codec.decode(codec, Uint8Array.of(...mark, 0))).toThrow("not as its schema has it")
    }
  })

  it("says of a schema that has no form in bytes what to do", () => {
    const Socket = Schema.declare((value): value is Map<string, string> => value instanceof Map)
    expect(() => Codec.binary(Schema.Struct({ socket: Socket }))).toThrow("by Schema.decodeTo")
  })

  it("says what is wrong with a message as its schema does", () => {
    const codec = Codec.binary(Schema.Struct({ at: Schema.Struct({ x: Schema.Int }) }))
    expect(() => Codec.encode(codec, { at: { x: 0.5 } })).toThrow(/integer[\s\S]*at[\s\S]*x/)
  })
})
