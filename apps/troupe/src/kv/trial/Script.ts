/** What befalls the nodes of a demonstration, and when: drawn from its seed. */
import { seeded } from "../../Seeded.ts"

export type Act =
  /** At once, and without a last word. */
  | { readonly _tag: "Kill"; readonly who: "primary" | "another"; readonly forMillis: number }
  /** Fewer than half of the nodes, the primary among them, talk to nobody but each other. */
  | { readonly _tag: "CutOff"; readonly forMillis: number }

export interface Scene {
  readonly atMillis: number
  readonly act: Act
  /** Chooses among the nodes that can be meant: from 0 to 1. */
  readonly lot: number
}

/** The rest of the time, at the end, nothing befalls anybody. */
export const calm = 0.25

/** As many scenes as there is time for, one after the other, each over before the next. */
export const draw = (seed: number, durationMillis: number): ReadonlyArray<Scene> => {
  const random = seeded(seed)
  const troubled = durationMillis * (1 - calm)
  const acts = [
    (forMillis: number): Act => ({ _tag: "Kill", who: "primary", forMillis }),
    (forMillis: number): Act => ({ _tag: "CutOff", forMillis }),
    (forMillis: number): Act => ({ _tag: "Kill", who: "another", forMillis })
  ]
  const rounds = Math.max(1, Math.round(troubled / perRoundMillis))
  const span = troubled / (rounds * acts.length)
  const scenes: Array<Scene> = []
  for (let round = 0; round < rounds; round++) {
    const order = acts.map((act) => ({ act, by: random() })).toSorted((a, b) => a.by - b.by)
    for (const { act } of order) {
      const from = scenes.length * span + span * (0.1 + 0.2 * random())
      const forMillis = Math.round(span * (0.4 + 0.2 * random()))
      scenes.push({ atMillis: Math.round(from), act: act(forMillis), lot: random() })
    }
  }
  return scenes
}

/** So long a kill of the primary, a partition and another kill take. */
const perRoundMillis = 12_000
