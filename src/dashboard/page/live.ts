/// <reference lib="dom" />
/** The stream of what changes, and what is known from it. */
import { type AnyRun, type AnyStudy, type LiveEvent, parse, type StudyPlace } from "./api.ts";

export interface Live {
  /** By `studyKey`, in the order in which the server told them. */
  readonly studies: ReadonlyMap<string, AnyStudy>;
  /** By name. */
  readonly runs: ReadonlyMap<string, AnyRun>;
  /** Everything has been told once. */
  readonly isReady: () => boolean;
  /** Calls `listener` with what changes until the result is called. */
  listen(listener: (event: LiveEvent) => void): () => void;
}

export const studyKey = ({ storage_id, study_name }: StudyPlace): string => `${storage_id}/${study_name}`;

const EVENTS = ["study", "study_removed", "trials", "run", "run_removed", "log", "ready"] as const;

/**
 * Opens the stream; the browser opens it again whenever it breaks. While nobody sees the page it is closed: a browser has
 * few connections to one server, and tabs would take them from each other. `tell` is told how it stands.
 */
export function openLive(tell: (state: "live" | "lost") => void): Live {
  const studies = new Map<string, AnyStudy>();
  const runs = new Map<string, AnyRun>();
  const listeners = new Set<(event: LiveEvent) => void>();
  let isReady = false;
  let source: EventSource | null = null;

  function take(told: LiveEvent): void {
    if (told.event === "study") studies.set(studyKey(told.data), told.data);
    if (told.event === "study_removed") studies.delete(studyKey(told.data));
    if (told.event === "run") runs.set(told.data.run, told.data);
    if (told.event === "run_removed") runs.delete(told.data.run);
    if (told.event === "ready") isReady = true;
    for (const listener of listeners) listener(told);
  }

  function open(): void {
    source = new EventSource("/events");
    source.addEventListener("open", () => {
      tell("live");
      // A new stream begins with all that there is.
      for (const all of [studies, runs]) all.clear();
    });
    source.addEventListener("error", () => tell("lost"));
    for (const event of EVENTS) {
      source.addEventListener(
        event,
        (message: MessageEvent<string>) => take({ event, data: parse(message.data) } as LiveEvent),
      );
    }
  }

  function openWhereSeen(isSeen: boolean): void {
    if (isSeen && source === null) open();
    if (isSeen) return;
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => openWhereSeen(document.visibilityState === "visible"));
  addEventListener("pagehide", () => openWhereSeen(false));
  addEventListener("pageshow", () => openWhereSeen(document.visibilityState === "visible"));
  openWhereSeen(document.visibilityState === "visible");
  return {
    studies,
    runs,
    isReady: () => isReady,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
