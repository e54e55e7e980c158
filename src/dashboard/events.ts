/** Server-sent events: one stream for each page that is open. */

/** Tells everybody who listens; `data` is JSON. */
export type Publish = (event: string, data: string) => void;

export interface EventHub {
  publish: Publish;
  /** How many listen. */
  listeners(): number;
  /** A stream that begins with these events and goes on with what is published. */
  subscribe(first: readonly (readonly [event: string, data: string])[]): Response;
  /** Ends all streams. */
  close(): void;
}

/** A comment every so often keeps connections open that would be closed for silence, and shows which are dead. */
const HEARTBEAT_MS = 15_000;

/** Whoever is so many events behind is cut off; it comes back and begins anew. */
const MOST_BEHIND = 5000;

const encoder = new TextEncoder();

export function createEventHub(): EventHub {
  const streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const end = (stream: ReadableStreamDefaultController<Uint8Array>) => {
    streams.delete(stream);
    try {
      stream.close();
    } catch {
      // Its reader has left.
    }
  };
  const send = (text: string) => {
    const bytes = encoder.encode(text);
    for (const stream of streams) {
      if ((stream.desiredSize ?? 0) < -MOST_BEHIND) end(stream);
      else stream.enqueue(bytes);
    }
  };
  const heartbeat = setInterval(() => send(": alive\n\n"), HEARTBEAT_MS);
  return {
    publish: (event, data) => send(frame(event, data)),
    listeners: () => streams.size,
    subscribe(first) {
      let own: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          own = controller;
          streams.add(controller);
          const begin = first.map(([event, data]) => frame(event, data)).join("");
          controller.enqueue(encoder.encode(`retry: 2000\n\n${begin}`));
        },
        cancel() {
          streams.delete(own);
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
    close() {
      clearInterval(heartbeat);
      for (const stream of [...streams]) end(stream);
    },
  };
}

const frame = (event: string, data: string): string => `event: ${event}\ndata: ${data}\n\n`;
