/**
 * What a slice of bytes holds. Numbers and not names: the kind is looked at for every field of every record.
 * `text` is bytes that have not been looked at; all others were checked by the scanner.
 */
export type SliceKind = number;

export const kindMissing = 0;
export const kindNull = 1;
export const kindFalse = 2;
export const kindTrue = 3;
/** Digits, with a minus perhaps. */
export const kindInteger = 4;
/** A number with a fraction or an exponent. */
export const kindDecimal = 5;
/** The content of a string, without quotes, that has no escapes: its bytes are its UTF-8. */
export const kindString = 6;
/** The content of a string, without quotes, with escapes. */
export const kindEscapedString = 7;
export const kindObject = 8;
export const kindArray = 9;
/** Bytes as they came, of unknown content. */
export const kindText = 10;
