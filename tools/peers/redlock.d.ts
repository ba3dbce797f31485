/** What is used of redlock 4, which brings no types. */
declare module "redlock" {
  import type { Redis } from "ioredis"

  export default class Redlock {
    constructor(
      clients: ReadonlyArray<Redis>,
      options: { readonly retryCount: number; readonly retryDelay: number; readonly retryJitter: number }
    )
    lock(resource: string, ttlMillis: number): Promise<{ unlock(): Promise<void> }>
  }
}
