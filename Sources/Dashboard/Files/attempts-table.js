import { causeText } from './causes.js';
import { h } from './dom.js';
import { count, damping, significant, words } from './format.js';

const columns = [
  ['Start', 'number', (attempt) => attempt.job_attempt], ['Attempt', 'number', (attempt) => attempt.number],
  ['Outcome', '', (attempt) => h('span', { class: `badge ${attempt.outcome}` }, attempt.outcome)],
  ['Cause', 'nowrap', (attempt) => causeText(attempt.cause)], ['Remedy', 'nowrap', (attempt) => words(attempt.remedy)],
  ['Damping', 'number', (attempt) => damping(attempt.damping) + (attempt.damping_origin === 'request' ? '' : ` ${attempt.damping_origin}`)],
  ['Precision', '', (attempt) => attempt.precision], ['Samples', 'number', (attempt) => count(attempt.samples)],
  ['Tokens', 'number', (attempt) => count(attempt.tokens)], ['LAPACK info', 'number', (attempt) => attempt.info],
  ['Smallest pivot', 'number', (attempt) => significant(attempt.smallest_pivot)],
  ['1 / condition', 'number', (attempt) => significant(attempt.reciprocal_condition)],
  ['Loss', 'number', (attempt) => significant(attempt.loss)], ['Seconds', 'number', (attempt) => attempt.seconds.toFixed(3)],
];

/** Every try at a layer with all that is known of it. */
export function attemptsTable(layer, attempts) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Attempts at ${layer}` },
    h('table', {}, h('caption', { class: 'unseen' }, `Attempts at ${layer}`),
      h('thead', {}, h('tr', {}, columns.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)))),
      h('tbody', {}, attempts.map((attempt) => [
        h('tr', {}, columns.map(([, kind, value]) => h('td', { class: kind }, value(attempt)))),
        attempt.detail && h('tr', { class: 'note' }, h('td', { colspan: columns.length }, attempt.detail)),
      ]))));
}
