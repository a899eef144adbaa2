import type { Plan, RoutePlan } from '../../../config/plan.ts'
import type { Segment } from '../../../routing/route-path.ts'
import { loadFile } from './check.ts'

/** `sluice routes`: what answers what, most specific first, with the policies in the order they run. */
export function routes(file: string): number {
  const plan = loadFile(file)
  const rows = [...plan.routes].sort(bySpecificity).map((route) => describe(route, plan))
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  return 0
}

const RANK: Readonly<Record<Segment['kind'], number>> = { literal: 0, param: 1, rest: 2 }

function bySpecificity(a: RoutePlan, b: RoutePlan): number {
  for (let i = 0; i < Math.max(a.path.segments.length, b.path.segments.length); i++) {
    const [left, right] = [a.path.segments[i], b.path.segments[i]]
    const difference = (left ? RANK[left.kind] : -1) - (right ? RANK[right.kind] : -1)
    if (difference !== 0) return difference
    if (left?.kind === 'literal' && right?.kind === 'literal' && left.text !== right.text)
      return left.text < right.text ? -1 : 1
  }
  return 0
}

function describe({ name, path, methods, mounts, upstream }: RoutePlan, plan: Plan): string[] {
  const names = (list: readonly { policy: { name: string } }[]) => list.map(({ policy }) => policy.name)
  const around = upstream && plan.upstreams.find((candidate) => candidate.name === upstream.name)
  const chain = [
    ...names(mounts),
    ...(upstream ? [`${upstream.name}${around?.mounts.length ? ` (${names(around.mounts).join(' > ')})` : ''}`] : []),
  ]
  return [(methods ?? ['any']).join(','), path.source, name, chain.join(' > ')]
}
