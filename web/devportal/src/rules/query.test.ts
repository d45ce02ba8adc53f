import { expect, test } from 'vitest';
import { query } from './query';

test('words and tag are joined, and either may be missing', () => {
  expect(query('', '')).toBe('');
  expect(query(' pizza version:1.0 ', '')).toBe('pizza version:1.0');
  expect(query('pizza', 'food and drink')).toBe('pizza tags:"food and drink"');
  expect(query('', 'a"b')).toBe('tags:"ab"');
});
