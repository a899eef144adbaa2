/**
 * Whether a topic binding's pattern matches a routing key. Words are separated by dots; `*` stands for exactly one word,
 * `#` for any number of words, none included. Takes time proportional to the product of the lengths at worst.
 */
export function matchesTopic(pattern: string, routingKey: string): boolean {
  const wanted = wordsOf(pattern)
  const words = wordsOf(routingKey)
  let at = 0
  let word = 0
  let hashAt = -1
  let hashWord = 0
  while (word < words.length) {
    if (wanted[at] === '#') {
      hashAt = at
      hashWord = word
      at += 1
    } else if (at < wanted.length && (wanted[at] === '*' || wanted[at] === words[word])) {
      at += 1
      word += 1
    } else if (hashAt >= 0) {
      // The latest `#` takes one word more; an earlier one could gain nothing that this one cannot.
      hashWord += 1
      word = hashWord
      at = hashAt + 1
    } else {
      return false
    }
  }
  return wanted.slice(at).every((rest) => rest === '#')
}

/** An empty key has no words, while `a..b` has an empty one in the middle, as in RabbitMQ. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.')
}
