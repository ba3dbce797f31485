import { type History, Reader, type Transactions } from "@troupe/consistency"
import { Result } from "effect"

/** A small history of each format. */
export const samples: Readonly<Record<Reader.Format, string>> = {
  ndjson: `{"process":1,"type":"invoke","f":"write","value":3,"key":"x"}\n{"process":1,"type":"ok","f":"write"}\n`,
  knossos: `[{:process 4, :type :invoke, :f :write, :value #{2 "a\\n"}} ; c
 {:process 4, :type :ok, :f :write, :value nil, :error [:x 1/2 #_ 3 \\c]}
 {:process :nemesis, :type :info}]`,
  "jepsen-txn": `{:process 4, :type :invoke, :f :txn, :value [[:r 1 nil] [:w 2 3]]}
{:process 4, :type :ok, :f :txn, :value [[:r 1 nil] [:w 2 3]]}`,
  "etcd-log": `INFO  jepsen.util - 0	:invoke	:cas	[3 0]\nINFO  jepsen.util - 0	:fail	:cas	[3 0]\n`,
  "porcupine-kv": `{:process 0, :type :invoke, :f :get, :key "7", :value nil}
{:process 0, :type :ok, :f :get, :key "7", :value "x 0 1 y"}`,
  violin: `# @object atomic-queue\n[1] call add(3)\n  [2] call remove\n[2] return 3\n[1] return\n`,
  awdit: `w 1 2\n-----\nr 1 2\n=====\nr 1 2\n`,
  polysi: `w(1,2,3,4)\nr(1,2,4,5)\n`,
  "memory-models": `{"id":1,"procs":[[["w","x",1,0,3]],[["r","x",1,2,5]]]}\n`
}

const one = (text: string, format: Reader.Format | undefined): Reader.Reading => {
  const readings = Result.getOrThrow(Reader.read(text, { ...(format !== undefined && { format }) }))
  if (readings.length !== 1) throw new Error(`${readings.length} histories`)
  return readings[0]!
}

export const operationsOf = (reading: Reader.Reading | undefined): History.History => {
  if (reading?._tag !== "Operations") throw new Error("no operations were read")
  return reading.history
}

export const transactionsOf = (reading: Reader.Reading | undefined): Transactions.TransactionHistory => {
  if (reading?._tag !== "Transactions") throw new Error("no transactions were read")
  return reading.history
}

export const operations = (text: string, format?: Reader.Format): History.History => operationsOf(one(text, format))

export const transactions = (text: string, format?: Reader.Format): Transactions.TransactionHistory =>
  transactionsOf(one(text, format))

/** Why `text` is not read. */
export const failure = (text: string, format?: Reader.Format, file?: string): Reader.ReadError => {
  const options = { ...(format !== undefined && { format }), ...(file !== undefined && { file }) }
  return Result.getOrThrow(Result.flip(Reader.read(text, options)))
}
