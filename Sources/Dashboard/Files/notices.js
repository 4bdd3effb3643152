import { h } from './dom.js';

/** A box with what went wrong. */
export const problemBox = (problem) =>
  h('div', { class: 'notice bad', role: 'alert' }, h('p', {}, h('strong', {}, problem.title ?? 'Something went wrong')),
    h('p', {}, problem.detail ?? problem.message));

/** A part of a page with its heading. */
export const panel = (name, title, content, kind = 'panel') =>
  h('section', { class: kind, 'aria-labelledby': `${name}-heading` }, h('h2', { id: `${name}-heading` }, title), content);

/** A status as a coloured word. */
export const badge = (status) => h('span', { class: `badge ${status}` }, status);

export const degradedBadge = () => h('span', { class: 'badge degraded' }, 'degraded');
