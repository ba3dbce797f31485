export const page = `x`
