import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';

/** Answers after which the group goes on without us. */
const lossCodes: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);

export function isLoss(error: TidemarkError): boolean {
  return lossCodes.has(error.foreignCode ?? '');
}

export function asTidemarkError(thrown: unknown): TidemarkError {
  if (isTidemarkError(thrown)) return thrown;
  return new TidemarkError('INVARIANT_BROKEN', `Group membership: ${messageOf(thrown)}`, { cause: thrown });
}
