import { toResponse } from './problem.ts'

const MOST = 100

/**
 * Answers `?skus=a,b` with what is known of them, in the order asked; unknown ones are left out. 400 without any, or with
 * more than 100.
 */
export function answerForMany<Found>(skus: string | undefined, find: (sku: string) => Found | undefined): Response {
  const wanted = (skus ?? '').split(',').filter((sku) => sku !== '')
  if (wanted.length === 0 || wanted.length > MOST) return toResponse(WRONG_SKUS)
  return Response.json(wanted.flatMap((sku) => find(sku) ?? []))
}

const WRONG_SKUS = {
  status: 400,
  code: 'invalid-query',
  title: 'The query is not valid',
  detail: `skus is 1 to ${MOST} SKUs with commas between, as in ?skus=MUG-001,POT-001`,
} as const
