// Server-sent events by fetch, since EventSource can't send a token (WHATWG HTML, 9.2.6).

/** Takes a stream's text in pieces and gives the messages that are complete, as `{id, event, data}`. */
export class EventParser {
  #rest = '';
  #message = { event: 'message', data: [] };

  push(text) {
    const messages = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') this.#dispatch(messages);
      else if (!line.startsWith(':')) this.#field(line);
    }
    return messages;
  }

  #field(line) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#message.data.push(value);
    else if (name === 'event' || name === 'id') this.#message[name] = value;
  }

  #dispatch(messages) {
    const { id, event, data } = this.#message;
    this.#message = { event: 'message', data: [] };
    if (data.length > 0) messages.push({ id, event, data: data.join('\n') });
  }
}

/** The messages of an answer until it ends. */
export async function* messages(response) {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
