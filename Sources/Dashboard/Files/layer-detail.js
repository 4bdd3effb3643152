import { attemptsTable } from './attempts-table.js';
import { getJSON, jobPath } from './api.js';
import { h } from './dom.js';
import { percent } from './format.js';
import { ladder } from './layer-ladder.js';
import { problemBox } from './notices.js';

/** The row below a layer's row: its ladder and its attempts, fetched when it is opened. */
export class LayerDetail {
  /** The row; null while it is closed. */
  element = null;

  constructor(state, name, row, button, columns, signal) {
    Object.assign(this, { state, name, row, button, columns, signal });
    button.addEventListener('click', () => (this.element ? this.close() : this.open()));
  }

  async open() {
    if (this.element) return;
    this.cell = h('td', { colspan: this.columns }, h('p', { class: 'muted' }, 'Loading …'));
    this.element = h('tr', { class: 'detail' }, this.cell);
    this.row.after(this.element);
    this.button.setAttribute('aria-expanded', 'true');
    try {
      const layer = await getJSON(jobPath(this.state.job.id, 'layers', this.name), { signal: this.signal });
      this.state.addAttempts(layer.history);
      this.layer = layer;
      this.update(this.state.attemptsOf(this.name));
    } catch (problem) {
      if (!this.signal.aborted) this.cell?.replaceChildren(problemBox(problem));
    }
  }

  close() {
    this.element.remove();
    this.element = this.cell = this.layer = null;
    this.button.setAttribute('aria-expanded', 'false');
  }

  update(attempts) {
    if (!this.layer) return;
    if (attempts.length === 0) return this.cell.replaceChildren(h('p', {}, 'No attempt was made yet.'));
    const picture = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Ladder of ${this.name}` }, ladder(attempts));
    this.cell.replaceChildren(...[kept(this.layer.kept), picture, attemptsTable(this.name, attempts)].filter(Boolean));
  }
}

function kept(parts) {
  const names = { scale_search: 'searched scales', scale_refinement: 'refined scales', error_compensation: 'error compensation' };
  const known = Object.keys(names).filter((key) => parts?.[key] !== undefined).map((key) => `${names[key]} ${percent(parts[key])}`);
  return known.length > 0 && h('p', { class: 'muted' }, `Rows that gained: ${known.join(', ')}.`);
}
