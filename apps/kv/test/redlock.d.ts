/** It comes without types. */
declare module "redlock" {
  import type { Redis } from "ioredis"

  export interface Lock {
    readonly extend: (millis: number) => Promise<Lock>
    readonly unlock: () => Promise<void>
  }

  export default class Redlock {
    constructor(
      clients: ReadonlyArray<Redis>,
      options: { readonly retryCount: number; readonly retryDelay?: number; readonly retryJitter?: number }
    )
    lock(key: string, millis: number): Promise<Lock>
  }
}
