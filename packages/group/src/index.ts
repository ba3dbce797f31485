// new:algorithm adds here
export {}
