/** Names as paths: any name, on any file system, one whose names differ in case alone included. */

const partLength = 150

export const refusedName = (name: string): string | undefined =>
  name.length === 0 || name.length > 200 ? "a name has 1 to 200 characters" : undefined

/** The directory of a name: letters, digits, `-` and `_` as they are, all else by its bytes. */
export const directoryOf = (room: "logs" | "cells", name: string): string => {
  let escaped = ""
  for (const byte of new TextEncoder().encode(name)) {
    const character = String.fromCharCode(byte)
    escaped += /[a-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`
  }
  const parts: Array<string> = []
  for (let at = 0; at < escaped.length; at += partLength) parts.push(escaped.slice(at, at + partLength))
  // A part that goes on is told from a whole name by its last character.
  return [room, ...parts.map((part, i) => (i < parts.length - 1 ? `${part}+` : part))].join("/")
}
