// The token: kept by this tab until it is closed, and sent nowhere but to the daemon that the page came from.

const key = 'gptqd.token';

/** Tells of `locked`: the daemon wants a token, or another one. */
export const session = new (class extends EventTarget {
  get token() {
    return sessionStorage.getItem(key) ?? '';
  }

  set token(text) {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
    this.dispatchEvent(new Event('change'));
  }

  lock(problem) {
    this.dispatchEvent(new CustomEvent('locked', { detail: problem }));
  }
})();
