import { alertUser, announce } from './announcer.js';
import { jobPath, send, server } from './api.js';
import { h } from './dom.js';
import { bytes, percent } from './format.js';
import { session } from './session.js';

/** More bytes than that aren't gathered in the browser's memory. */
const memoryLimit = 256 * 1024 * 1024;

/**
 * Downloads a file. Without a token that is a plain link; with one, which a link can't send, the file is fetched and then saved:
 * straight to disk where the browser can do that, else by way of its memory.
 */
export class DownloadButton {
  constructor(job, file, signal) {
    Object.assign(this, { file, signal, path: jobPath(job, 'artifacts', file.path) });
    const label = `Download ${file.path}`;
    this.element = session.token
      ? h('button', { type: 'button', class: 'small', 'aria-label': label, onclick: () => this.#save() }, 'Download')
      : h('a', { href: `${server}/${this.path}`, download: file.path, 'aria-label': label }, 'Download');
  }

  async #save() {
    try {
      if (this.file.size <= memoryLimit) await this.#saveThroughMemory();
      else if ('showSaveFilePicker' in window) await this.#saveToDisk();
      else return alertUser(`${this.file.path} is too large for this browser’s memory; use one of the commands above.`);
      announce(`${this.file.path} is downloaded.`);
    } catch (error) {
      if (error.name !== 'AbortError') alertUser(`${this.file.path}: ${error.message}`);
    } finally {
      this.element.textContent = 'Download';
    }
  }

  async #saveThroughMemory() {
    const parts = [];
    await this.#read((part) => parts.push(part));
    const url = URL.createObjectURL(new Blob(parts));
    h('a', { href: url, download: this.file.path }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async #saveToDisk() {
    const handle = await window.showSaveFilePicker({ suggestedName: this.file.path });
    const target = await handle.createWritable();
    try {
      await this.#read((part) => target.write(part));
      await target.close();
    } catch (error) {
      await target.abort();
      throw error;
    }
  }

  async #read(take) {
    const response = await send('GET', this.path, { signal: this.signal });
    const reader = response.body.getReader();
    for (let done = 0; ; ) {
      const { done: isDone, value } = await reader.read();
      if (isDone) break;
      await take(value);
      done += value.length;
      this.element.textContent = this.file.size > 0 ? percent(done / this.file.size) : bytes(done);
    }
  }
}
