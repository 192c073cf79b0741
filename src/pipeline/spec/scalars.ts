import { z } from 'zod';

/** Kinds of values that several options share. */
export const count = z.int().min(0);
export const positive = z.int().min(1);
/** Node's timers hold 31 bits; a longer one would fire at once. */
const durationMsMax = 2_147_483_647;
export const durationMs = z.int().min(1).max(durationMsMax);
export const durationOrNoneMs = z.int().min(0).max(durationMsMax);
export const topicName = z
  .string()
  .regex(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/, 'a topic name: 1 to 249 characters of a-z A-Z 0-9 . _ -');
const wholeOffset = 'a whole number from 0 on';
/** Kafka's offsets are signed 64-bit numbers. */
const offsetMax = 2n ** 63n - 1n;
export const offset = z.union(
  [
    z.bigint().min(0n).max(offsetMax),
    z.int().min(0),
    z
      .string()
      .regex(/^\d{1,19}$/, wholeOffset)
      .refine((text) => BigInt(text) <= offsetMax, wholeOffset),
  ],
  { error: wholeOffset },
);
export const secret = (schema: z.ZodString, description: string) => schema.meta({ description, secret: true });
