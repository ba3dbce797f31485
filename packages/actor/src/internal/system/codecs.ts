/** How messages become bytes, compiled once. */
import { Codec } from "@troupe/transport"
import type { Ask, Definition, Messages } from "../../Messages.ts"

interface Codecs {
  readonly message: Codec.Codec<any>
  readonly answers: Map<string, { readonly reply: Codec.Codec<any>; readonly failure: Codec.Codec<any> }>
}

const known = new WeakMap<Definition, Codecs>()

/** One message is often of the same kind as the one before. */
let last: Definition | undefined
let lastCodecs: Codecs | undefined

const codecsOf = ({ definition, schema }: Messages<any>): Codecs => {
  if (definition === last) return lastCodecs!
  let codecs = known.get(definition)
  if (codecs === undefined) known.set(definition, (codecs = { message: Codec.binary(schema), answers: new Map() }))
  last = definition
  return (lastCodecs = codecs)
}

export const messageOf = (messages: Messages<any>): Codec.Codec<any> => codecsOf(messages).message

export const answersOf = (messages: Messages<any>, tag: string) => {
  const { answers } = codecsOf(messages)
  let codecs = answers.get(tag)
  if (codecs === undefined) {
    const { failure, reply } = messages.definition[tag] as Ask
    answers.set(tag, (codecs = { reply: Codec.binary(reply), failure: Codec.binary(failure) }))
  }
  return codecs
}
