/**
 * What it costs to write a message and read it again, by the kind of its schema: beside `JSON` without any schema, which
 * checks nothing and knows no classes, and `SchemaBinary` of Effect, which takes the same schemas.
 *
 * All take turns; medians of the rounds, in messages written and read a second.
 *
 *     node --conditions=@troupe/source packages/transport/bench/codecs.bench.ts [--json] [--rounds 7]
 */
import { Codec } from "@troupe/transport"
import { Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { SchemaJITCompiler } from "effect/schema"
import { parseArgs } from "node:util"

const args = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values

const rounds = Number(args.rounds)
const roundMillis = 60

class Point extends Schema.Class<Point>("Point")({ x: Schema.Int, y: Schema.Int, name: Schema.String }) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const tree = (depth: number): Tree => ({
  value: depth,
  children: depth === 0 ? [] : [tree(depth - 1), tree(depth - 1)]
})

interface Case {
  readonly name: string
  readonly schema: Codec.MessageSchema<any>
  readonly value: unknown
}

const cases: ReadonlyArray<Case> = [
  {
    name: "a struct",
    schema: Schema.Struct({ x: Schema.Int, y: Schema.Int, name: Schema.String }),
    value: { x: 1, y: 2000, name: "a place" }
  },
  { name: "a class", schema: Point, value: new Point({ x: 1, y: 2000, name: "a place" }) },
  {
    name: "20 of a class",
    schema: Schema.Array(Point),
    value: Array.from({ length: 20 }, (_, x) => new Point({ x, y: 2000, name: "a place" }))
  },
  { name: "a tree of 31 nodes", schema: Tree, value: tree(4) },
  {
    name: "numbers as text",
    schema: Schema.Struct({ amount: Schema.FiniteFromString, of: Schema.Trim }),
    value: { amount: 12.5, of: "something" }
  },
  {
    name: "a map of 10",
    schema: Schema.ReadonlyMap(Schema.String, Schema.Int),
    value: new Map(Array.from({ length: 10 }, (_, i) => [`key ${i}`, i]))
  }
]

type Trip = () => void

const ours = ({ schema, value }: Case): Trip => {
  const codec = Codec.binary(schema)
  return () => Codec.decode(codec, Codec.encode(codec, value))
}

const json = ({ value }: Case): Trip => {
  const plain = value instanceof Map ? [...value] : value
  return () => JSON.parse(JSON.stringify(plain))
}

const effect = ({ schema, value }: Case): Trip => {
  const codec = SchemaBinary.toCodec(schema, { fingerprint: true })
  SchemaJITCompiler.enable(codec.ast)
  const [write, read] = [Schema.encodeUnknownSync(codec), Schema.decodeUnknownSync(codec)]
  return () => read(write(value))
}

const rate = (trip: Trip): number => {
  const start = performance.now()
  let count = 0
  let now = start
  while (now - start < roundMillis) {
    for (let i = 0; i < 200; i++) trip()
    count += 200
    now = performance.now()
  }
  return (count / (now - start)) * 1000
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const measured = cases.map((one) => {
  const trips = { troupe: ours(one), json: json(one), schemaBinary: effect(one) }
  const names = ["troupe", "json", "schemaBinary"] as const
  for (const name of names) rate(trips[name])
  const rates = { troupe: [] as Array<number>, json: [] as Array<number>, schemaBinary: [] as Array<number> }
  for (let round = 0; round < rounds; round++) for (const name of names) rates[name].push(rate(trips[name]))
  const bytes = Codec.encode(Codec.binary(one.schema), one.value).length
  return {
    name: one.name,
    bytes,
    troupe: median(rates.troupe),
    json: median(rates.json),
    schemaBinary: median(rates.schemaBinary)
  }
})

if (args.json) console.log(JSON.stringify({ "messages written and read, a second": measured }))
else {
  const text = (value: number): string => `${(value / 1000).toFixed(0)} k`.padStart(10)
  console.log("messages written and read, a second:     Troupe       JSON  SchemaBinary   bytes")
  for (const { bytes, json, name, schemaBinary, troupe } of measured) {
    console.log(
      `  ${name.padEnd(34)}${text(troupe)} ${text(json)}    ${text(schemaBinary)} ${String(bytes).padStart(7)}`
    )
  }
}
