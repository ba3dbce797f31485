/** What the main thread hands to the others, and what they answer. */
import type { Options } from "../../Checker.ts"
import type { Search } from "../Search.ts"
import type { Ground } from "./Ground.ts"
import type { Source } from "./Source.ts"

export interface Given {
  readonly worker: number
  readonly ground: Ground
  readonly source: Source
  readonly options: Options
  /** How many states there were when the search became wide. */
  readonly states: number
}

export type Answer =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Threw"; readonly property: string; readonly index: number; readonly cause: unknown }
  | { readonly _tag: "NotSerialisable"; readonly path: string; readonly what: string }
  | { readonly _tag: "NotSymmetric"; readonly nodes: ReadonlyArray<string>; readonly reason: string }

/** A layer of so many states is shared out. Up to there each thread goes alone, all the same way. */
const width = 4_096

export const isWide = (search: Search<unknown>): boolean => (search.layer?.count ?? 0) >= width

/** Goes on for a while; whether there is more to do by one thread. */
export const advance = (search: Search<unknown>, states: number): boolean =>
  !isWide(search) && search.advance(states, width) && !isWide(search)
