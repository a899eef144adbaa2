import { describe, expect, test } from 'bun:test'
import { type Case, configOf, expectMistake, mistakesIn, part } from './test-mistakes.ts'
import { openPage } from './test-page.ts'

const expressionCase = (name: string, expression: string, message: string): Case => ({
  name,
  lines: ['parts:', part('a', `transform: ${JSON.stringify(expression)}`)],
  at: 1,
  path: 'parts.a.transform',
  message,
})

const EXPRESSIONS: readonly Case[] = [
  expressionCase('a bracket without its partner', '$sum(items', 'character 10: Expected ")" before end of expression'),
  expressionCase('what is no expression', 'a + )', 'character 5: The symbol ")" cannot be used as a unary operator'),
  expressionCase('a mistake on a later line', '{\n  "a": 1,\n  "b" 2\n}', 'line 3, character 7: Expected ":", got 2'),
  expressionCase('no expression', '', 'expected a JSONata expression'),
  expressionCase('a parent of nothing', '%.a', 'cannot be derived from this expression'),
  expressionCase(
    'a misspelt function',
    '$sume(items)',
    'character 5: unknown function or variable "$sume"; did you mean "$sum"?',
  ),
  expressionCase(
    'a variable that has no value',
    '( $x := 1; $x + $y )',
    'character 18: unknown function or variable "$y"',
  ),
  expressionCase('what only the whole answer has', '$parts.b.body', 'unknown function or variable "$parts"'),
  expressionCase(
    'text that becomes an expression',
    '$eval(a)',
    '"$eval" is refused: runs a text that nobody has checked',
  ),
  expressionCase('text that becomes one by another name', '( $f := $eval; $f(a) )', '"$eval" is refused'),
  expressionCase('chance', '$random()', '"$random" is refused: the same replies must give the same answer'),
  expressionCase('another order each time', '$shuffle(a)', '"$shuffle" is refused'),
  expressionCase('the time', '$now()', '"$now" is refused'),
  expressionCase(
    'a regular expression',
    '$contains(a, /x+y/)',
    'a regular expression is refused: nothing could stop a slow one',
  ),
  expressionCase('a search for one', '$match(a, $string)', '"$match" is refused'),
  expressionCase('a picture that is made of one', '$toMillis(a, "[Y]")', '"$toMillis" with a picture is refused'),
  expressionCase('the same, applied', 'a ~> $toMillis("[Y]")', '"$toMillis" with a picture is refused'),
  expressionCase(
    'a picture that a reply brings',
    '$formatNumber(a, b)',
    'what "$formatNumber" formats with must be written out',
  ),
  expressionCase(
    'the same, applied to it',
    'a ~> $formatNumber(b)',
    'what "$formatNumber" formats with must be written out',
  ),
  expressionCase(
    'a picture of great width',
    '$fromMillis(a, "[Y,9-1000000]")',
    'what "$fromMillis" formats with must be written out',
  ),
]

const WHOLE: readonly Case[] = [
  {
    name: 'a part that there is not',
    lines: ['transform: "$parts.aa.body.x + $parts.`a`.status + $count($parts.*)"', 'parts:', part('a')],
    at: 0,
    path: 'transform',
    message: 'character 9: unknown part "aa" in "$parts.aa"; did you mean "a"?',
  },
  {
    name: 'a mistake in it',
    lines: ['transform: "a ~> "', 'parts:', part('a')],
    at: 0,
    path: 'transform',
    message: 'Unexpected end of expression',
  },
  {
    name: 'a template beside it',
    lines: ['transform: "a"', 'body: { x: "{parts.a.body}" }', 'parts:', part('a')],
    at: 0,
    path: 'transform',
    message: 'is never used: "body" is the whole answer',
  },
  {
    name: 'a stream',
    lines: ['transform: "a"', 'stream: true', 'parts:', part('a')],
    at: 0,
    path: 'transform',
    message: 'cannot be streamed: it needs every part',
  },
  {
    name: 'a hidden part that it does not read',
    lines: ['transform: "a"', 'parts:', part('a'), part('b', 'hidden: true')],
    at: 3,
    path: 'parts.b.hidden',
    message: 'leaves nothing of the part',
  },
]

describe('the configuration of a transform', () => {
  test.each([...EXPRESSIONS])('refuses $name', expectMistake)
  test.each([...WHOLE])('refuses for the whole answer $name', expectMistake)

  test('refuses an expression that nothing could read through', async () => {
    const [mistake] = await mistakesIn(['parts:', part('a', `transform: "${'('.repeat(9_000)}"`)])
    expect(mistake).toMatchObject({ path: 'routes.page.policies[0].aggregate.parts.a.transform' })
  })

  test('takes names that the expression gives a value itself', async () => {
    const expression = '( $n := 1; $f := function($x, $y){ $x + $y + $n }; items@$i#$k.($f($i.n, $k)) )'
    const lines = ['parts:', part('a', `transform: ${JSON.stringify(expression)}`)]
    expect(await openPage({ config: configOf(lines) })).toBeDefined()
  })
})
