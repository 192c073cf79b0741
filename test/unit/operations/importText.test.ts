import { describe, expect, test } from 'vitest';
import { parseImport, readImport } from '../../../src/operations/index.ts';

const entry = (change: object = {}) => ({ topic: 'orders', partition: 0, offset: '5', topicId: 'a', ...change });
const json = (...positions: unknown[]) => JSON.stringify({ pipeline: 'p', positions });

describe('a file of positions', () => {
  test.each([
    ['orders,0,5\n'],
    ['orders,0,5'],
    ['"orders",0,5\n'],
    ['orders,"0","5"\r\n'],
    ['\n\r\norders,0,5\n\n'],
    ['\uFEFForders,0,5\n'],
    [json(entry({ topicId: undefined }))],
    [`\uFEFF  ${json({ offset: '5', partition: 0, topic: 'orders', more: [] })}\r\n`],
  ])('%j is one position', (text) => {
    const { positions, problems } = parseImport(text);
    expect(problems).toEqual([]);
    expect(positions).toMatchObject([{ topic: 'orders', partition: 0, offset: 5n, topicId: undefined }]);
  });

  test.each([
    ['', 'line 1', 'the file is empty'],
    ['\uFEFF\r\n \n', 'line 1', 'the file is empty'],
    ['orders,0', 'line 1', '2 columns, expected are 3: topic,partition,offset'],
    ['orders', 'line 1', '1 column, expected are 3: topic,partition,offset'],
    ['g,orders,0,5', 'line 1', 'an export of several groups'],
    ['orders,0,5,x,y', 'line 1', '5 columns'],
    ['orders;0;5', 'line 1', '1 column'],
    ['topic,partition,offset\norders,0,5', 'line 1', 'partition "partition" is no whole number; offset "offset"'],
    ['orders,0,5\n\norders,1,x', 'line 3', 'offset "x" is no whole number'],
    ['orders,0,5\r\norders,1,-5', 'line 2', 'offset -5 is negative'],
    ['orders,-1,5', 'line 1', 'partition -1 is negative'],
    ['orders,2147483648,5', 'line 1', 'partition 2147483648 is more than 2147483647'],
    ['orders,0,9223372036854775808', 'line 1', 'offset 9223372036854775808 is more than 9223372036854775807'],
    [`orders,0,${'9'.repeat(100)}`, 'line 1', 'offset 9999999999999999999999999 is more than'],
    ['orders,0,5.0', 'line 1', 'offset "5.0" is no whole number'],
    ['orders,0,1e3', 'line 1', 'offset "1e3" is no whole number'],
    ['orders,0, 5', 'line 1', 'offset " 5" is no whole number'],
    ['orders,0,', 'line 1', 'offset "" is no whole number'],
    ['orders,0,0x10', 'line 1', 'offset "0x10" is no whole number'],
    [',0,5', 'line 1', '"" is no name of a topic'],
    ['or ders,0,5', 'line 1', '"or ders" is no name of a topic'],
    ['"orders,0,5', 'line 1', 'the quotes do not fit'],
    ['ord"ers,0,5', 'line 1', 'the quotes do not fit'],
    ['"orders"x,0,5', 'line 1', 'the quotes do not fit'],
    ['orders,0,5\norders,1,6\n"orders",0,7', 'line 3', 'orders-0 is there already: line 1'],
    ['{"positions":[', 'line 1', 'not JSON'],
    ['{\n"pipeline": "p",\n"positions": [}\n', 'line 3', 'not JSON'],
    ['[]', 'line 1', 'not an export: no positions'],
    ['{"positions": {}}', 'line 1', 'not an export: no positions'],
    ['{"error": 1}', 'line 1', 'not an export: no positions'],
    [json(), 'positions', 'is empty'],
    [json(null), 'positions[0]', 'is no position'],
    [json(7), 'positions[0]', 'is no position'],
    [json(entry(), entry({ partition: '1' })), 'positions[1]', 'partition is no number'],
    [json(entry({ partition: 0.5 })), 'positions[0]', 'partition "0.5" is no whole number'],
    [json(entry({ partition: -1 })), 'positions[0]', 'partition -1 is negative'],
    [json(entry({ topic: 1 })), 'positions[0]', 'topic is no text'],
    [json(entry({ topic: 'a/b' })), 'positions[0]', '"a/b" is no name of a topic'],
    [json(entry({ offset: 5 })), 'positions[0]', 'offset is no decimal text'],
    [json(entry({ offset: '-5' })), 'positions[0]', 'offset -5 is negative'],
    [json(entry({ offset: '9223372036854775808' })), 'positions[0]', 'is more than'],
    [json(entry({ topicId: 1 })), 'positions[0]', 'topicId is no text'],
    [json(entry(), entry({ offset: '6' })), 'positions[1]', 'orders-0 is there already: positions[0]'],
  ])('%j is refused at %s: %s', (text, place, what) => {
    const { problems } = parseImport(text);
    expect(problems).toEqual([{ place, what: expect.stringContaining(what) }]);
    expect(() => readImport(text, 'x.csv')).toThrow(`x.csv, ${place}: `);
  });

  test('names everything that is wrong at once, as far as a screen goes', () => {
    const { problems, positions } = parseImport('orders,x,-1\norders,0,5\nno,topic\norders,1,y\n');
    expect(problems.map(({ place }) => place)).toEqual(['line 1', 'line 3', 'line 4']);
    expect(problems[0]?.what).toBe('partition "x" is no whole number; offset -1 is negative');
    expect(positions).toHaveLength(1);
    const many = Array.from({ length: 1000 }, () => 'bad').join('\n');
    expect(() => readImport(many, 'x.csv')).toThrow(/^x\.csv is refused as a whole: 1000 problems\n/);
    expect(() => readImport(many, 'x.csv')).toThrow(/line 100: [^\n]*\nand 900 more$/);
  });

  test('what has a million lines is a log, and none of them is looked at', () => {
    const many = 1_000_001;
    expect(parseImport('a\n'.repeat(many)).problems).toEqual([
      { place: 'line 1000001', what: 'more than 1000000 are no positions' },
    ]);
    expect(parseImport(`{"positions":[${'0,'.repeat(many)}0]}`).problems).toMatchObject([
      { place: 'positions[1000000]' },
    ]);
  });
});
