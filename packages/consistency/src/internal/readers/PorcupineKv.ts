import type { Reading } from "../../Reader.ts"
import { Pairing } from "../Pairing.ts"
import type { Source } from "../Source.ts"
import { readEvents } from "./EdnEvents.ts"

/** A store of texts by key, each empty at first: maps `{:process 0, :type :ok, :f :get, :key "7", :value ""}`. */
export const readPorcupineKv = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  readEvents(source, (event) => {
    const { process, type, f, key, value, line } = event
    if (process === undefined) return pairing.skip()
    if (key === undefined) throw event.wrong("an operation without :key", `the key that it is about, as :key "7"`)
    if (type === "invoke") return pairing.invoke(process, f, key, value, line)
    pairing.complete(process, type, f, f === "get" ? (value ?? "") : null, line, key)
  })
  const history = pairing.finish((f) => f === "get")
  return { _tag: "Operations", format: "porcupine-kv", history, specification: { name: "key-value", initial: "" } }
}
