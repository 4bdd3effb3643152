import { h } from './dom.js';

export const missingPage = () => ({
  title: 'Not found',
  element: h('div', {}, h('h1', {}, 'There is no such page'), h('p', {}, h('a', { href: '#/jobs' }, 'To the jobs'))),
});
