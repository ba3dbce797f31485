/** Machines that tests replicate. */
import { type Machine, Replicated } from "@troupe/replication"
import { Schema } from "effect"

export const Request = Schema.Union([
  Schema.TaggedStruct("Get", { key: Schema.String }),
  Schema.TaggedStruct("Put", { key: Schema.String, value: Schema.Int }),
  Schema.TaggedStruct("Add", { key: Schema.String, amount: Schema.Int })
])
export type Request = typeof Request.Type

const Update = Schema.Struct({ key: Schema.String, value: Schema.Int })

type Values = Readonly<Record<string, number>>

/** Numbers by name, 0 at first. `Put` and `Add` answer the new value. */
export const numbers: Machine.Machine<Values, Request, typeof Update.Type, number> = {
  name: "numbers",
  init: {},
  request: Request,
  update: Update,
  response: Schema.Int,
  isRead: ({ _tag }) => _tag === "Get",
  execute: (values, request) => {
    const before = values[request.key] ?? 0
    if (request._tag === "Get") return { response: before, updates: [] }
    const value = request._tag === "Put" ? request.value : before + request.amount
    return { response: value, updates: [{ key: request.key, value }] }
  },
  apply: (values, { key, value }) => ({ ...values, [key]: value }),
  dump: (values) =>
    Object.entries(values)
      .filter(([, value]) => value !== 0)
      .map(([key, value]) => ({ key, value })),
  keyed: {
    split: (request) => [{ key: request.key, request }],
    join: (_request, [response]) => response!
  }
}

export class Numbers extends Replicated.Service<Numbers>()("test/Numbers", numbers) {}

export const get = (key: string): Request => ({ _tag: "Get", key })
export const put = (key: string, value: number): Request => ({ _tag: "Put", key, value })
export const add = (key: string, amount: number): Request => ({ _tag: "Add", key, amount })
