/** Schemas that hold themselves: each is put together once, and what it holds of itself points there. */
import { Schema, type SchemaAST } from "effect"
import { type Inner, Malformed, type Part } from "./Part.ts"

/** How deep values may hold others of a schema that holds itself: what comes from elsewhere must not use up the stack. */
export const mostDepth = 512

/** A message that holds parts in parts, without end or close to it. */
export class TooDeep extends Schema.TaggedError<TooDeep>()("TooDeep", { limit: Schema.Int }) {
  override get message(): string {
    return `it is nested deeper than ${this.limit} levels, or holds itself. Send its parts in a list, naming each other by their places`
  }
}

interface Entry {
  readonly name: string
  part: Part | undefined
}

/** The schemas that were met so far which may hold themselves, in the order of meeting them. */
export type Known = Map<SchemaAST.AST, Entry>

/** Puts together the first of all. Others that hold it know where it is then. */
export const known = (root: SchemaAST.AST, all: Known, make: () => Part | undefined): Part | undefined => {
  const entry = entered(root, all)
  return (entry.part = make())
}

export const suspended = ({ thunk }: SchemaAST.Suspend, all: Known, inner: Inner): Part => {
  const target = thunk()
  const met = all.get(target)
  // One in the making takes a byte at least: without a choice there would be no end.
  if (met !== undefined) return { layout: met.name, least: met.part?.least ?? 1, ...deeper(met) }
  const entry = entered(target, all)
  const { layout, least } = (entry.part = inner(target))
  return { layout: `${entry.name}=${layout}`, least, ...deeper(entry) }
}

const entered = (target: SchemaAST.AST, all: Known): Entry => {
  const entry: Entry = { name: `@${all.size}`, part: undefined }
  all.set(target, entry)
  return entry
}

/** Forgets who was met since there were so many: what held them is not put together here. */
export const forget = (all: Known, size: number): void => {
  for (const target of [...all.keys()].slice(size)) all.delete(target)
}

/** Of all that is written and read now, as codecs may use codecs. */
let depth = 0

/** One level deeper while it is written or read. */
export const deeper = (entry: { readonly part: Part | undefined }): Pick<Part, "write" | "read"> => ({
  write: (value, into) => {
    enter()
    try {
      return made(entry).write(value, into)
    } finally {
      depth--
    }
  },
  read: (from) => {
    enter()
    try {
      return made(entry).read(from)
    } finally {
      depth--
    }
  }
})

const enter = (): void => {
  if (depth >= mostDepth) throw new TooDeep({ limit: mostDepth })
  depth++
}

const made = ({ part }: { readonly part: Part | undefined }): Part => {
  if (part === undefined) throw new Malformed("its schema is in the making")
  return part
}
