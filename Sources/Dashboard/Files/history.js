import { getJSON, jobPath } from './api.js';
import { h, redraw } from './dom.js';
import { plural, time, words } from './format.js';
import { isEnded } from './job-feed.js';

/** What happened to a job besides its layers; of an ended one it is fetched when it is asked for. */
export class History {
  #list = h('ol', { class: 'history' });

  element = h('details', { class: 'panel', ontoggle: () => this.#open() },
    h('summary', {}, h('h2', { class: 'inline' }, 'History')), this.#list);

  constructor(state, signal) {
    this.state = state;
    this.signal = signal;
  }

  update() {
    if (!this.element.open) return;
    const events = this.state.events.filter(({ kind }) => kind !== 'attempt' && kind !== 'layer');
    redraw(this.#list, events.map((event) => event.sequence), () => events.map(item));
  }

  async #open() {
    if (this.element.open && isEnded(this.state.job) && this.state.events.length === 0) await this.#load();
    this.update();
  }

  async #load() {
    for (let after = 0; ; ) {
      const page = await getJSON(`${jobPath(this.state.job.id, 'events')}?limit=1000&after=${after}`, { signal: this.signal });
      for (const event of page.data) this.state.addEvent(event);
      after = page.data.at(-1)?.sequence ?? after;
      if (!page.has_more) return;
    }
  }
}

const item = (event) => h('li', {}, h('time', { datetime: event.at, class: 'muted' }, time(event.at)), ' ', text(event));

function text({ kind, data }) {
  switch (kind) {
    case 'status': return data.status;
    case 'stage': return `stage: ${words(data.stage)}`;
    case 'warning': return `warning: ${data.message}`;
    case 'interruption': return `the daemon had ended, after ${plural(data.layers_done, 'layer')}`;
    case 'damage': return `damaged: ${data.files.join(', ')}`;
    default: return words(kind);
  }
}
