import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashAgainAndAgain } from '../support/broker-crash/run.ts'
import { anomaliesOf } from '../support/broker-crash/story.ts'

/** The embedded broker under SIGKILL: `BROKER_CRASH_SEED` repeats a run, `BROKER_CRASH_KILLS` makes it longer. */
const { BROKER_CRASH_SEED, BROKER_CRASH_KILLS } = process.env
const seed = Number(BROKER_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
const kills = Number(BROKER_CRASH_KILLS ?? 30)

const folder = mkdtempSync(join(tmpdir(), 'sluice-crash-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe(`killing the embedded broker, seed ${seed}`, () => {
  test('loses what was confirmed when nothing is kept on the disk, and the checker sees it', async () => {
    const story = await crashAgainAndAgain({ file: undefined, kills: 5, seed })
    expect(anomaliesOf(story).lost.length).toBeGreaterThan(0)
  }, 60_000)

  test(`loses nothing confirmed, keeps the order and moves each dead letter once, over ${kills} kills`, async () => {
    const story = await crashAgainAndAgain({ file: join(folder, 'broker.db'), kills, seed })
    process.stdout.write(
      `seed ${seed}: ${kills} kills, ${story.confirmed.size} confirmed, ${story.published.size} published, ${story.deadLetters.length} dead letters\n`,
    )
    expect(story.confirmed.size).toBeGreaterThan(kills)
    expect(anomaliesOf(story)).toEqual({ lost: [], outOfOrder: [], unmarked: [], wrongDeaths: [] })
  }, 600_000)
})
