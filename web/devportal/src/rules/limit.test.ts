import { expect, test } from 'vitest';
import { limit } from './limit';

test('a limit is a sentence', () => {
  expect(limit({ requestCount: 5000, dataUnit: null, unitTime: 1, timeUnit: 'min' })).toBe('5,000 calls per minute');
  expect(limit({ requestCount: 1, dataUnit: null, unitTime: 2, timeUnit: 'hours' })).toBe('1 call per 2 hours');
  expect(limit({ requestCount: 10, dataUnit: 'MB', unitTime: 1, timeUnit: 'days' })).toBe('10 MB per day');
  expect(limit({ requestCount: 2147483647, dataUnit: null, unitTime: 1, timeUnit: 'min' })).toBe('Unlimited');
});
