import { h, redraw } from './dom.js';

/** What was asked for, with the defaults that were filled in. */
export class RequestPanel {
  element = h('details', { class: 'panel' });

  constructor(state) {
    this.state = state;
  }

  update() {
    const { request } = this.state.job;
    redraw(this.element, request, () => [h('summary', {}, h('h2', { class: 'inline' }, 'Request')),
      h('pre', { tabindex: '0', 'aria-label': 'The request as JSON' }, JSON.stringify(request, null, 2))]);
  }
}
