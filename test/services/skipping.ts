/** Names of programs, apart by spaces, that a CI machine is known not to have. */
const withoutVariable = 'TIDEMARK_TESTS_WITHOUT';

/**
 * Skips a test whose optional program is missing, with the reason, which the reporter prints. With `CI=true` nothing
 * skips itself: there the test fails, unless the machine was said to be without that program (`.ci/run` says so when it
 * could not install it).
 */
export function skipWithout(context: { skip(note: string): never }, program: string, reason: string): never {
  const ci = process.env.CI;
  const declared = (process.env[withoutVariable] ?? '').split(' ').includes(program);
  if (ci !== undefined && !['', '0', 'false'].includes(ci) && !declared) {
    throw new Error(`nothing skips itself in CI: ${reason}`);
  }
  context.skip(reason);
}
