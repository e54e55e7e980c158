/** The contract between a study and the place where its trials are kept. */

import type { Distribution } from "./distributions.ts";
import type { Direction, FrozenTrial } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";

/** A study without its trials. */
export interface StudyRecord {
  /** The storage's own identifier. */
  readonly studyId: number;
  /** Unique in the storage. */
  readonly studyName: string;
  /** Of each objective. */
  readonly directions: readonly Direction[];
  /** What the user has stored with it. */
  readonly userAttrs: Readonly<Record<string, JsonValue>>;
  /** What programs have. */
  readonly systemAttrs: Readonly<Record<string, JsonValue>>;
}

/** A parameter to store: its internal value and its domain. */
export interface StoredParam {
  /** Its name. */
  readonly name: string;
  /** Its internal value, see `Distribution`. */
  readonly internal: number;
  /** Its domain. */
  readonly distribution: Distribution;
}

/** What can be added to a trial in one step. Later attributes replace earlier ones of the same key. */
export interface TrialChanges {
  /** Parameters. */
  readonly params?: readonly StoredParam[];
  /** Attributes of the user's. */
  readonly userAttrs?: Readonly<Record<string, JsonValue>>;
  /** Attributes of samplers and pruners. */
  readonly systemAttrs?: Readonly<Record<string, JsonValue>>;
  /** Step and value; NaN and infinities are allowed. */
  readonly intermediateValues?: readonly (readonly [step: number, value: number])[];
}

/** A trial that is added as it is, without having run here. */
export interface TrialTemplate extends TrialChanges {
  /** Its state. */
  readonly state: FrozenTrial["state"];
  /** Its values, where it has any. */
  readonly values?: readonly number[];
  /** When it began. */
  readonly datetimeStart?: Date;
  /** When it ended. */
  readonly datetimeComplete?: Date;
}

/** How many trials a study is to have in the end. A RUNNING one counts while its last heartbeat is no older than `graceSeconds`. */
export interface TrialGoal {
  /** Finished ones that there are to be. */
  readonly trials: number;
  /** See above. */
  readonly graceSeconds: number;
}

/**
 * Where studies and trials live. Implementations behave alike (tests/studies/storage_contract.ts runs on each):
 *
 * - Every method is one transaction: after a kill at any moment it has happened or it has not.
 * - Trial numbers of a study are 0, 1, 2, …, unique however many processes create trials; trial ids grow.
 * - Only RUNNING trials can be changed; a change to a finished or waiting one throws EntailError("data").
 * - What is handed out never changes afterwards. Finished trials are immutable, so implementations may cache them.
 * - Trials come in order of number. Parameters keep the order in which they were stored.
 * - Attributes of a study come in the order in which they were first set.
 * - Unknown studies and trials throw EntailError("data").
 */
export interface Storage {
  /** Creates a study and returns it; null when the name is taken. */
  createStudy(studyName: string, directions: readonly Direction[]): Promise<StudyRecord | null>;
  /** The study of that name, or null. */
  findStudy(studyName: string): Promise<StudyRecord | null>;
  /** All studies, oldest first. */
  listStudies(): Promise<StudyRecord[]>;
  /** Removes a study with all its trials. */
  deleteStudy(studyId: number): Promise<void>;
  /** Stores an attribute, in place of one with the same key. */
  setStudyAttr(studyId: number, kind: "user" | "system", key: string, value: JsonValue): Promise<void>;

  /** Creates a RUNNING trial that starts now, or one as the template says. */
  createTrial(studyId: number, template?: TrialTemplate): Promise<FrozenTrial>;
  /**
   * Starts a trial now: the WAITING one with the lowest number, or a new one where none waits. With a goal, stores its
   * first heartbeat with it, and returns null, starting nothing, where as many trials have ended or run already.
   */
  startTrial(studyId: number, goal?: TrialGoal): Promise<FrozenTrial | null>;
  /** Adds to a RUNNING trial. */
  updateTrial(trialId: number, changes: TrialChanges): Promise<void>;
  /**
   * Ends a RUNNING trial: adds `changes`, the values and the end state. Returns false, changing nothing, when the
   * trial has ended already. COMPLETE needs values, which must not be NaN.
   */
  finishTrial(
    trialId: number,
    state: "COMPLETE" | "PRUNED" | "FAIL",
    values: readonly number[] | null,
    changes?: TrialChanges,
  ): Promise<boolean>;
  /** All trials of a study, in order of number. */
  trials(studyId: number): Promise<readonly FrozenTrial[]>;

  /** Notes that the process running a trial is alive. */
  recordHeartbeat(trialId: number): Promise<void>;
  /** Ids of RUNNING trials whose last heartbeat is older; trials without any heartbeat are never stale. */
  staleTrialIds(studyId: number, graceSeconds: number): Promise<number[]>;

  /** Lets go of files and connections. */
  close(): Promise<void>;
}
