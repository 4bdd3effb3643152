/** What the API refused (RFC 9457), or that it couldn't be reached. */
export class Problem extends Error {
  constructor({ title, detail, status = 0, code = 'unreachable', errors = [] }) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { title, detail, status, code, errors });
  }

  static async of(response) {
    try {
      return new Problem({ ...(await response.json()), status: response.status });
    } catch {
      const { status, statusText: detail } = response;
      return new Problem({ title: `The server answered ${status}`, detail, status, code: 'unknown' });
    }
  }

  static unreachable(error) {
    return new Problem({ title: 'The server can’t be reached', detail: error.message });
  }
}
