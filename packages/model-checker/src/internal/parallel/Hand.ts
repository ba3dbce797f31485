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
  readonly width: number
  /** How many states there were when the search became wide. */
  readonly states: number
}

export type Answer =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Threw"; readonly property: string; readonly index: number; readonly cause: unknown }
  | { readonly _tag: "NotSerialisable"; readonly path: string; readonly what: string }
  | { readonly _tag: "NotSymmetric"; readonly nodes: ReadonlyArray<string>; readonly reason: string }

/** Up to a layer of so many states, unless told otherwise, each thread goes alone, all the same way. */
export const defaultWidth = 4_096

export const isWide = (search: Search<unknown>, width: number): boolean => (search.layer?.count ?? 0) >= width

/** Goes on for a while; whether there is more to do by one thread. */
export const advance = (search: Search<unknown>, states: number, width: number): boolean =>
  !isWide(search, width) && search.advance(states, width) && !isWide(search, width)
