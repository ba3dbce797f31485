/** What a server has done since it started; read when somebody asks. */
export interface Counters {
  commands: number
  reads: number
  writes: number
  failures: number
  batches: number
  connections: number
  connected: number
  rejected: number
  protocolErrors: number
  slowReaders: number
}

export const make = (): Counters => ({
  commands: 0,
  reads: 0,
  writes: 0,
  failures: 0,
  batches: 0,
  connections: 0,
  connected: 0,
  rejected: 0,
  protocolErrors: 0,
  slowReaders: 0
})
