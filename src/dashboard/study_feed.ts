/** The studies of some storages as they go: read again only where something has changed, told only what has. */
import { EntailError } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { type FrozenTrial, isFinished } from "../studies/frozen_trial.ts";
import { graceSeconds } from "../studies/heartbeat.ts";
import { paramImportances } from "../studies/importance.ts";
import { openStorage } from "../studies/open_storage.ts";
import type { Storage, StudyRecord } from "../studies/storage.ts";
import type { Publish } from "./events.ts";
import { jsonText } from "./json.ts";
import { type BrokenStudy, rowOf, type StudyPlace, type StudySummary, summaryOf } from "./rows.ts";

/** A study as it was when last looked at. */
export interface WatchedStudy {
  readonly place: StudyPlace;
  readonly record: StudyRecord;
  readonly storage: Storage;
  /** In order of number. */
  readonly trials: readonly FrozenTrial[];
  readonly summary: StudySummary | BrokenStudy;
}

export interface StudyFeed {
  /** Looks at the storages and publishes what is new; for new studies only now and then, unless that is asked for. */
  refresh(options?: { search?: boolean }): Promise<void>;
  studies(): readonly WatchedStudy[];
  /** The study of that name, in the storage of that number or the first that has it. */
  find(name: string, storageId: number | null): WatchedStudy | undefined;
  /** Parameters by importance, the largest first. */
  importances(study: WatchedStudy): (readonly [name: string, share: number])[];
  close(): Promise<void>;
}

/** How often the lists of studies and the signs of life of their trials are read; trials are at every look. */
const LIST_MS = 4000;

interface Watched {
  place: StudyPlace;
  record: StudyRecord;
  storage: Storage;
  trials: readonly FrozenTrial[];
  summary: StudySummary | BrokenStudy;
  summaryText: string;
  /** Ids of trials without a sign of life. */
  stale: ReadonlySet<number>;
  /** The unfinished trials as they were told, by number; null before the first look. */
  told: Map<number, string> | null;
  importances?: { of: readonly FrozenTrial[]; shares: (readonly [string, number])[] };
}

export function createStudyFeed(urls: readonly string[], publish: Publish): StudyFeed {
  const storages = urls.map((url, id) => ({ url, id, shown: withoutPasswords(url), storage: null as Storage | null }));
  const studies = new Map<string, Watched>();
  const keyOf = ({ storage_id, study_name }: StudyPlace) => `${storage_id}/${study_name}`;
  let listed = -Infinity;
  let looks = Promise.resolve();

  async function look(search: boolean): Promise<void> {
    const isListing = search || performance.now() - listed > LIST_MS;
    if (isListing) {
      await list();
      listed = performance.now();
    }
    for (const study of [...studies.values()]) await lookAt(study, isListing);
  }

  async function list(): Promise<void> {
    for (const each of storages) {
      const found = new Set<string>();
      try {
        each.storage ??= await openStorage(each.url, { readOnly: true });
        for (const record of await each.storage.listStudies()) {
          const place = { study_name: record.studyName, storage_id: each.id, storage: each.shown };
          const key = keyOf(place);
          found.add(key);
          const before = studies.get(key);
          // A study that was removed and made again under its name is another one.
          if (before?.record.studyId === record.studyId) before.record = record;
          else studies.set(key, unseen(place, record, each.storage));
        }
      } catch (error) {
        // Not there yet, or not reachable at the moment: what was seen of it stays to be seen.
        if (!(error instanceof EntailError)) throw error;
        continue;
      }
      for (const [key, { place }] of studies) {
        if (place.storage_id !== each.id || found.has(key)) continue;
        studies.delete(key);
        publish("study_removed", jsonText(place));
      }
    }
  }

  async function lookAt(study: Watched, isListing: boolean): Promise<void> {
    const before = study.trials;
    try {
      study.trials = await study.storage.trials(study.record.studyId);
      if (isListing && study.trials.some(({ state }) => state === "RUNNING")) {
        study.stale = new Set(await study.storage.staleTrialIds(study.record.studyId, graceSeconds({})));
      }
      if (study.trials === before && !isListing) return;
      study.summary = summaryOf(study.place, study.record, study.trials, study.stale);
    } catch (error) {
      if (!(error instanceof EntailError)) throw error;
      study.summary = { ...study.place, error: error.message };
    }
    const changed = changedTrials(study, before);
    if (changed.length > 0) {
      publish(
        "trials",
        jsonText({ ...study.place, trials: changed.map((trial) => rowOf(trial)) }),
      );
    }
    const text = jsonText(study.summary);
    if (text !== study.summaryText) publish("study", text);
    study.summaryText = text;
  }

  return {
    refresh: ({ search = false } = {}) => looks = looks.catch(() => {}).then(() => look(search)),
    studies: () => [...studies.values()],
    find(name, storageId) {
      if (storageId !== null) return studies.get(`${storageId}/${name}`);
      return [...studies.values()].find(({ place }) => place.study_name === name);
    },
    importances(study) {
      const watched = studies.get(keyOf(study.place))!;
      const { trials, record: { directions } } = watched;
      if (watched.importances?.of !== trials) {
        const shares = directions.length === 1 ? Object.entries(paramImportances(trials, directions[0])) : [];
        // Sorted again: in an object, names that are whole numbers come first.
        watched.importances = { of: trials, shares: shares.sort((a, b) => b[1] - a[1]) };
      }
      return watched.importances.shares;
    },
    async close() {
      await looks.catch(() => {});
      for (const { storage } of storages) await storage?.close();
    },
  };
}

const unseen = (place: StudyPlace, record: StudyRecord, storage: Storage): Watched => ({
  place,
  record,
  storage,
  trials: [],
  summary: summaryOf(place, record, [], new Set()),
  summaryText: "",
  stale: new Set(),
  told: null,
});

/** Trials that are not as they were told. What is read at the first look is nobody's news. */
function changedTrials(study: Watched, before: readonly FrozenTrial[]): FrozenTrial[] {
  const { trials } = study;
  if (trials === before) return [];
  const isFirst = study.told === null;
  const told = study.told ??= new Map();
  return trials.filter((trial, i) => {
    // Finished trials keep their identity.
    if (before[i] === trial) return false;
    const text = isFinished(trial.state) ? null : jsonText(rowOf(trial));
    const isNews = !isFirst && (text === null || told.get(trial.number) !== text);
    if (text === null) told.delete(trial.number);
    else told.set(trial.number, text);
    return isNews;
  });
}
