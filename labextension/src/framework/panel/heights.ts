// Shares the height of the panel among its sections: each gets what it needs, and where that is too much, a fair part.

/**
 * Heights for sections that want `wanted` pixels, in all `available`. What is left over goes to the last; where there
 * is too little, no section is cut below an equal share for the sake of a longer one.
 */
export function shareHeights(
  wanted: ReadonlyArray<number>,
  available: number
): number[] {
  const heights = wanted.map(() => 0);
  let rest = Math.max(0, available);
  let open = wanted.map((_, index) => index);
  while (open.length > 0) {
    const fair = rest / open.length;
    const content = open.filter(index => wanted[index] <= fair);
    if (content.length === 0) {
      open.forEach(index => (heights[index] = fair));
      return heights;
    }
    for (const index of content) {
      heights[index] = wanted[index];
      rest -= wanted[index];
    }
    open = open.filter(index => !content.includes(index));
  }
  if (heights.length > 0) {
    heights[heights.length - 1] += rest;
  }
  return heights;
}
