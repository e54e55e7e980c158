/** The items of `items`, each of which is under way while the one before is used. Throws what it throws, in its turn. */
export async function* ahead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  try {
    while (true) {
      const { value, done } = await next;
      if (done) return;
      next = items.next();
      next.catch(() => {}); // thrown where it is awaited
      yield value;
    }
  } finally {
    await items.return(undefined);
  }
}
