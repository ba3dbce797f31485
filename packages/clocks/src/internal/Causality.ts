/** How two events, or two versions, stand to each other: one of four ways, since causality is no total order. */
export type Causality = "before" | "after" | "equal" | "concurrent"

/** From whether the first has anything that the second lacks, and the other way round. */
export const causality = (firstHasMore: boolean, secondHasMore: boolean): Causality => {
  if (firstHasMore) return secondHasMore ? "concurrent" : "after"
  return secondHasMore ? "before" : "equal"
}
