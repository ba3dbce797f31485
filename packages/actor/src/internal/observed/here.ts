/** In which span something is told: `tell` is a plain function, which is called in a handler, in a fiber, or in neither. */
import { Fiber, type Tracer } from "effect"

/** Of the turn, or the handler, that was begun last and is not over. */
let span: Tracer.AnySpan | undefined
/** Within which that was begun: where another fiber runs now, that is who tells. */
let fiber: Fiber.Fiber<unknown, unknown> | undefined

export const spanHere = (): Tracer.AnySpan | undefined => {
  const now = Fiber.getCurrent()
  return now === fiber ? span : now?.cache.span
}

/** What `run` tells by itself is told in this span, or in none. */
export const inSpan = <A>(of: Tracer.AnySpan | undefined, run: () => A): A => {
  const outerSpan = span
  const outerFiber = fiber
  span = of
  fiber = Fiber.getCurrent()
  try {
    return run()
  } finally {
    span = outerSpan
    fiber = outerFiber
  }
}
