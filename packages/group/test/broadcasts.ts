/** The broadcasts that put nothing in order, as they are held to what they guarantee. */
import { BestEffort, Flooding, Uniform } from "@troupe/group"
import type { Subject } from "./worlds.ts"

export const bestEffort: Subject = {
  name: "best-effort broadcast",
  guarantees: ["best-effort"],
  layer: () => BestEffort.layer(),
  protocol: BestEffort.protocol
}
export const flooding: Subject = {
  name: "flooding",
  guarantees: ["best-effort", "reliable"],
  layer: () => Flooding.layer(),
  protocol: Flooding.protocol
}
export const uniform: Subject = {
  name: "uniform broadcast",
  guarantees: ["uniform"],
  layer: () => Uniform.layer(),
  protocol: Uniform.protocol
}
