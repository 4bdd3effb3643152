import { server } from './api.js';
import { commandLine } from './copying.js';
import { DownloadButton } from './download-button.js';
import { h, redraw } from './dom.js';
import { bytes, plural } from './format.js';
import { nameOf } from './job-rows.js';
import { session } from './session.js';

/** The files of a finished job, and how to fetch them. */
export class Downloads {
  element = h('section', { class: 'panel', 'aria-labelledby': 'downloads-heading' });

  constructor(state, signal) {
    this.state = state;
    this.signal = signal;
  }

  update() {
    const { result, damaged_files: damaged } = this.state.job;
    redraw(this.element, [result, damaged], () => result && this.#draw(result, new Set(damaged ?? [])));
  }

  #draw({ repo, revision, files }, damaged) {
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const folder = `${nameOf(this.state.job.request.model).split('/').at(-1)}-gptq`;
    const token = session.token ? 'HF_TOKEN=$GPTQD_TOKEN ' : '';
    return [
      h('h2', { id: 'downloads-heading' }, 'Checkpoint'),
      h('p', { class: 'muted' }, `${plural(files.length, 'file')}, ${bytes(size)}; revision `, h('code', {}, revision.slice(0, 12))),
      h('h3', {}, 'With Hugging Face’s client'),
      commandLine('Command for Hugging Face’s client', `${token}HF_ENDPOINT=${server} hf download ${repo} --local-dir ${folder}`),
      h('h3', {}, 'With gptqctl'),
      commandLine('Command for gptqctl', `GPTQD_URL=${server} gptqctl fetch ${this.state.job.id} --output ${folder}`),
      h('h3', {}, 'File by file'),
      h('div', { class: 'scroll' }, h('table', {}, h('caption', { class: 'unseen' }, 'Files of the checkpoint'),
        h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'File'), h('th', { scope: 'col', class: 'number' }, 'Size'),
          h('th', { scope: 'col', class: 'minor' }, 'SHA-256'), h('th', { scope: 'col' }, h('span', { class: 'unseen' }, 'Download')))),
        h('tbody', {}, files.map((file) => this.#row(file, damaged.has(file.path)))))),
    ];
  }

  #row(file, isDamaged) {
    return h('tr', {}, h('th', { scope: 'row' }, file.path), h('td', { class: 'number' }, bytes(file.size)),
      h('td', { class: 'minor mono', title: file.sha256 }, `${file.sha256.slice(0, 16)}…`),
      h('td', { class: 'number' }, isDamaged ? 'damaged' : new DownloadButton(this.state.job.id, file, this.signal).element));
  }
}
