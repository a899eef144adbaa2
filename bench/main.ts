import { parseArgs } from 'node:util'
import { composition } from './composition/run.ts'
import { events } from './events/run.ts'
import { describeMachine, missingParts } from './measure/machine.ts'
import { proxy } from './proxy/run.ts'
import { FULL, QUICK, type Section } from './section.ts'

/** `npm run bench [-- proxy|composition|events …] [--quick]`: measures, and ends with 1 when a row is not to be read. */
const SECTIONS: Readonly<Record<string, Section>> = { proxy, composition, events }

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false } },
  })
  const names = positionals.length > 0 ? positionals : Object.keys(SECTIONS)
  const sections = names.map((name) => {
    const section = Object.hasOwn(SECTIONS, name) ? SECTIONS[name] : undefined
    if (!section) throw new Error(`There is no benchmark "${name}": take ${Object.keys(SECTIONS).join(', ')}`)
    return section
  })
  const missing = missingParts([...new Set(sections.flatMap(({ tools }) => tools))])
  if (missing.length > 0) throw new Error(['The benchmark cannot run here:', ...missing].join('\n  '))

  console.log(describeMachine().join('\n'))
  let isValid = true
  for (const section of sections) {
    const result = await section.run(values.quick ? QUICK : FULL)
    console.log(`\n## ${section.title}\n\n${result.text}`)
    isValid &&= result.isValid
  }
  return isValid ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
