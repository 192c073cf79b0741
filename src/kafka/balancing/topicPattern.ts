import { messageOf, TidemarkError } from '../../errors.ts';

/** The expression that whole names must match. Throws CONFIG_INVALID for a pattern that is none. */
export function topicPattern(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new TidemarkError('CONFIG_INVALID', `the pattern of topics cannot be used: ${messageOf(error)}`, {
      path: 'source.topicPattern',
      cause: error,
    });
  }
}
