/** What was thrown, in words: also of what throws once more when it is asked for them. */
export const textOf = (thrown: unknown): string => {
  try {
    return String(thrown)
  } catch {
    return "what it threw has no text"
  }
}
