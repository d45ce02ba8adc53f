import type { Plan } from '../api/types';

/** What stands for "as much as you like": the largest 32-bit number, as old installations have it too. */
const NO_LIMIT = 2_147_483_647;

/** A plan's limit in words. */
export function limit({ requestCount, dataUnit, unitTime, timeUnit }: Pick<Plan, 'requestCount' | 'dataUnit' | 'unitTime' | 'timeUnit'>): string {
  if (requestCount >= NO_LIMIT) return 'Unlimited';
  const amount = dataUnit === null ? `${grouped(requestCount)} ${requestCount === 1 ? 'call' : 'calls'}` : `${grouped(requestCount)} ${dataUnit}`;
  const unit = unitWord(timeUnit);
  return `${amount} per ${unitTime === 1 ? unit : `${unitTime} ${unit}s`}`;
}

/** The interface writes `sec` and `min` but `hours` and `days`, for one of them and for several. */
function unitWord(timeUnit: string): string {
  const word = timeUnit.replace(/s$/, '');
  return { sec: 'second', min: 'minute' }[word] ?? word;
}

const grouped = (count: number) => count.toLocaleString('en');
