/**
 * Holds a system to what it says is visible: a search that takes steps which cannot be seen in one order only is as good as
 * that claim. Before and after such steps properties must say the same, and so must `within`. Some states are looked at.
 */
import type { System } from "../System.ts"
import type { Space } from "./Space.ts"

/** So many states are looked at first, and from then on one in so many. */
const [always, oneIn] = [500, 100]

/** A property sees a step that the system calls invisible. */
export class Visible extends Error {
  readonly reason: string

  constructor(judge: string, step: string) {
    const reason = `${judge} sees a step that \`visible\` does not show: ${step}`
    super(reason)
    this.reason = reason
  }
}

export class PartialOrderCheck {
  private readonly space: Space<any>
  private readonly judges: ReadonlyArray<{ readonly name: string; readonly holds: (view: any) => boolean }>
  private readonly before: Array<boolean | undefined> = []
  private seen = 0
  private isLooking = false

  constructor({ properties, within }: System<any, any, any, any, any, any, any>, space: Space<any>) {
    this.space = space
    this.judges = [
      ...properties
        .filter(({ kind }) => kind === "always" || kind === "sometimes")
        .map(({ holds, name }) => ({ name: `the property "${name}"`, holds })),
      ...(within === undefined ? [] : [{ name: "`within`", holds: within }])
    ]
  }

  /** A state from which only steps that cannot be seen are taken. */
  from(numbers: Int32Array, length: number): void {
    this.isLooking = ++this.seen <= always || this.seen % oneIn === 0
    if (!this.isLooking) return
    for (let k = 0; k < this.judges.length; k++) this.before[k] = this.verdict(k, numbers, length)
  }

  /** A state that one of these steps leads to. Throws `Visible`. */
  to(numbers: Int32Array, length: number): void {
    if (!this.isLooking) return
    for (let k = 0; k < this.judges.length; k++) {
      if (this.before[k] === undefined || this.verdict(k, numbers, length) === this.before[k]) continue
      throw new Visible(this.judges[k]!.name, this.space.latest.describe())
    }
  }

  /** What throws is not for here to tell. */
  private verdict(judge: number, numbers: Int32Array, length: number): boolean | undefined {
    try {
      return this.judges[judge]!.holds(this.space.view(numbers, 0, length))
    } catch {
      return undefined
    }
  }
}
