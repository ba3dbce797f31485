/** The first index in a range for which something holds that goes on to hold; the last one where it is not seen to. */
export const earliest = (from: number, to: number, holds: (index: number) => boolean): number => {
  let low = from
  // Most often it is the first.
  if (low >= to || holds(low)) return low
  low++
  let high = to
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
