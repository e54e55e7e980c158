/** Studies in Optuna's relational schema, over any database that has a driver. */

import { EntailError } from "../errors.ts";
import { checkCompatible, type Distribution, distributionFromJson } from "./distributions.ts";
import { type Direction, type FrozenTrial, isFinished, type TrialState } from "./frozen_trial.ts";
import { type JsonValue, pythonJson } from "./python_text.ts";
import {
  attributesFromRows,
  directionFromColumn,
  insertChanges,
  insertValues,
  parseTime,
  timeText,
  trialFromRows,
  withDetails,
} from "./rdb_rows.ts";
import type { Sql, SqlDriver, SqlRow } from "./sql_driver.ts";
import type { Storage, StoredParam, StudyRecord, TrialChanges, TrialGoal, TrialTemplate } from "./storage.ts";
import { TrialCache } from "./trial_cache.ts";

/** Trials whose details are read together. */
const ROWS_AT_ONCE = 500;

interface StudyCache {
  readonly cache: TrialCache;
  /** The domain that each parameter had when it was first stored. */
  readonly domains: Map<string, Distribution>;
  /** The storage's epoch that the cache is up to date with. */
  epoch: number;
}

/** The `Storage` over Optuna's tables. `place` names the database in error messages. */
export class RdbStorage implements Storage {
  readonly #driver: SqlDriver;
  readonly #place: string;
  readonly #caches = new Map<number, StudyCache>();
  readonly #studyOfTrial = new Map<number, number>();
  /** Counts the times that others were seen to have written. */
  #epoch = 0;

  constructor(driver: SqlDriver, place: string) {
    this.#driver = driver;
    this.#place = place;
  }

  async createStudy(studyName: string, directions: readonly Direction[]): Promise<StudyRecord | null> {
    return await this.#driver.transaction(async (sql) => {
      const [taken] = await sql.all("SELECT study_id FROM studies WHERE study_name = ?", [studyName]);
      if (taken !== undefined) return null;
      const [row] = await sql.all("INSERT INTO studies (study_name) VALUES (?) RETURNING study_id", [studyName]);
      const studyId = Number(row.study_id);
      for (const [objective, direction] of directions.entries()) {
        await sql.all("INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, ?)", [
          direction.toUpperCase(),
          studyId,
          objective,
        ]);
      }
      return { studyId, studyName, directions: [...directions], userAttrs: {}, systemAttrs: {} };
    });
  }

  async findStudy(studyName: string): Promise<StudyRecord | null> {
    const [row] = await this.#driver.all("SELECT study_id, study_name FROM studies WHERE study_name = ?", [studyName]);
    return row === undefined ? null : await this.#studyRecord(row);
  }

  async listStudies(): Promise<StudyRecord[]> {
    const rows = await this.#driver.all("SELECT study_id, study_name FROM studies ORDER BY study_id");
    const studies: StudyRecord[] = [];
    for (const row of rows) studies.push(await this.#studyRecord(row));
    return studies;
  }

  async #studyRecord(row: SqlRow): Promise<StudyRecord> {
    const studyId = Number(row.study_id);
    const directions = await this.#driver.all(
      "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective",
      [studyId],
    );
    const attributes = (kind: string) => {
      const table = `study_${kind}_attributes`;
      const inOrder = `SELECT "key", value_json FROM ${table} WHERE study_id = ? ORDER BY study_${kind}_attribute_id`;
      return this.#driver.all(inOrder, [studyId]);
    };
    const [user, system] = [await attributes("user"), await attributes("system")];
    try {
      return {
        studyId,
        studyName: String(row.study_name),
        directions: directions.map((line) => directionFromColumn(line.direction)),
        userAttrs: attributesFromRows(user),
        systemAttrs: attributesFromRows(system),
      };
    } catch (error) {
      throw this.#placed(error, row.study_name);
    }
  }

  async deleteStudy(studyId: number): Promise<void> {
    await this.#driver.transaction(async (sql) => {
      await this.#checkStudy(sql, studyId);
      const details = ["params", "values", "intermediate_values", "user_attributes", "system_attributes", "heartbeats"];
      for (const detail of details) {
        const own = "trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)";
        await sql.all(`DELETE FROM trial_${detail} WHERE ${own}`, [studyId]);
      }
      const tables = ["trials", "study_directions", "study_user_attributes", "study_system_attributes", "studies"];
      for (const table of tables) await sql.all(`DELETE FROM ${table} WHERE study_id = ?`, [studyId]);
    });
    this.#caches.delete(studyId);
  }

  async setStudyAttr(studyId: number, kind: "user" | "system", key: string, value: JsonValue): Promise<void> {
    await this.#driver.transaction(async (sql) => {
      await this.#checkStudy(sql, studyId);
      await sql.all(
        `INSERT INTO study_${kind}_attributes (study_id, "key", value_json) VALUES (?, ?, ?) ` +
          `ON CONFLICT (study_id, "key") DO UPDATE SET value_json = excluded.value_json`,
        [studyId, key, pythonJson(value)],
      );
    });
  }

  async createTrial(studyId: number, template?: TrialTemplate): Promise<FrozenTrial> {
    const trial = template ?? { state: "RUNNING", datetimeStart: new Date() };
    const trialId = await this.#startOnce(
      studyId,
      trial.datetimeStart,
      (sql) => this.#insertTrial(sql, studyId, trial),
    );
    return await this.#readNew(trialId!, studyId);
  }

  async startTrial(studyId: number, goal?: TrialGoal): Promise<FrozenTrial | null> {
    const datetimeStart = new Date();
    const trialId = await this.#startOnce(studyId, datetimeStart, async (sql) => {
      if (goal !== undefined && await this.#takenTrials(sql, studyId, goal.graceSeconds) >= goal.trials) return null;
      const [waiting] = await sql.all(
        "UPDATE trials SET state = 'RUNNING', datetime_start = ? WHERE trial_id = (SELECT trial_id FROM trials " +
          "WHERE study_id = ? AND state = 'WAITING' ORDER BY number, trial_id LIMIT 1" +
          `${this.#driver.dialect.forUpdateOfFree}) RETURNING trial_id`,
        [timeText(datetimeStart), studyId],
      );
      const id = waiting === undefined
        ? await this.#insertTrial(sql, studyId, { state: "RUNNING", datetimeStart })
        : Number(waiting.trial_id);
      if (goal !== undefined) await this.#beat(sql, id);
      return id;
    });
    return trialId === null ? null : await this.#readNew(trialId, studyId);
  }

  /**
   * Runs `start`, which gives the id of a trial, in a transaction. When the driver repeats it, the trial of the time before
   * is taken where it is there after all: no other has that id and began at that moment.
   */
  async #startOnce(studyId: number, start: Date | undefined, body: (sql: Sql) => Promise<number | null>) {
    let before: number | null = null;
    return await this.#driver.transaction(async (sql) => {
      await this.#checkStudy(sql, studyId);
      if (before !== null) {
        const [row] = await sql.all("SELECT datetime_start FROM trials WHERE trial_id = ?", [before]);
        if (row !== undefined && parseTime(row.datetime_start)?.getTime() === start?.getTime()) return before;
      }
      return before = await body(sql);
    });
  }

  async #insertTrial(sql: Sql, studyId: number, template: TrialTemplate): Promise<number> {
    const { state, datetimeStart: start, datetimeComplete: complete } = template;
    // The number is how many of the study's trials have smaller ids: not "largest + 1", see Optuna's storage.
    const [row] = await sql.all(
      "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) " +
        "VALUES ((SELECT COUNT(*) FROM trials WHERE study_id = ?), ?, ?, ?, ?) RETURNING trial_id",
      [studyId, studyId, state, start ? timeText(start) : null, complete ? timeText(complete) : null],
    );
    const trialId = Number(row.trial_id);
    await this.#writeChanges(sql, trialId, studyId, template);
    await insertValues(sql, trialId, template.values ?? null);
    return trialId;
  }

  /** Trials that have ended, or run and show signs of life. */
  async #takenTrials(sql: Sql, studyId: number, graceSeconds: number): Promise<number> {
    const [row] = await sql.all(
      "SELECT COUNT(*) AS taken FROM trials t LEFT JOIN trial_heartbeats h ON h.trial_id = t.trial_id " +
        "WHERE t.study_id = ? AND (t.state IN ('COMPLETE', 'PRUNED', 'FAIL') OR (t.state = 'RUNNING' " +
        `AND h.heartbeat IS NOT NULL AND NOT (${this.#driver.dialect.olderThanSeconds("h.heartbeat")})))`,
      [studyId, graceSeconds],
    );
    return Number(row.taken);
  }

  async updateTrial(trialId: number, changes: TrialChanges): Promise<void> {
    await this.#driver.transaction(async (sql) => {
      const { state, studyId, number } = await this.#stateOf(sql, trialId);
      if (state !== "RUNNING") {
        throw new EntailError("data", `${this.#place}: trial ${number} is ${state} and cannot be changed any more`);
      }
      await this.#writeChanges(sql, trialId, studyId, changes);
    });
    this.#markChanged(trialId);
  }

  async finishTrial(
    trialId: number,
    state: "COMPLETE" | "PRUNED" | "FAIL",
    values: readonly number[] | null,
    changes: TrialChanges = {},
  ): Promise<boolean> {
    if (state === "COMPLETE" && (values === null || values.length === 0 || values.some(Number.isNaN))) {
      throw new EntailError("usage", "a COMPLETE trial needs a value that is a number");
    }
    const datetimeComplete = timeText(new Date());
    let hasBegun = false;
    const finished = await this.#driver.transaction(async (sql) => {
      const before = await this.#stateOf(sql, trialId);
      if (isFinished(before.state)) {
        const own = "SELECT trial_id FROM trials WHERE trial_id = ? AND datetime_complete = ?";
        return hasBegun && (await sql.all(own, [trialId, datetimeComplete])).length > 0;
      }
      hasBegun = true;
      if (before.state !== "RUNNING") {
        throw new EntailError("data", `${this.#place}: trial ${before.number} is ${before.state}, not RUNNING`);
      }
      await this.#writeChanges(sql, trialId, before.studyId, changes);
      await insertValues(sql, trialId, values);
      await sql.all("UPDATE trials SET state = ?, datetime_complete = ? WHERE trial_id = ?", [
        state,
        datetimeComplete,
        trialId,
      ]);
      return true;
    });
    this.#markChanged(trialId);
    return finished;
  }

  async trials(studyId: number): Promise<readonly FrozenTrial[]> {
    const entry = this.#cacheOf(studyId);
    if (await this.#driver.changedByOthers()) this.#epoch++;
    const changedByOthers = entry.epoch !== this.#epoch;
    entry.epoch = this.#epoch;
    const stale = entry.cache.takeStale(changedByOthers);
    try {
      let rows = stale.length === 0 ? [] : await this.#trialRows(stale);
      if (changedByOthers) {
        const fresh = "SELECT * FROM trials WHERE study_id = ? AND trial_id > ? ORDER BY trial_id";
        rows = rows.concat(await this.#driver.all(fresh, [studyId, entry.cache.largestId]));
        if (entry.cache.largestId < 0) await this.#checkStudy(this.#driver, studyId, "");
      }
      // In parts, by growing ids: the rows of thousands of trials take more memory than the trials.
      for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
        entry.cache.put(await this.#complete(rows.slice(first, first + ROWS_AT_ONCE)));
      }
    } catch (error) {
      entry.epoch = -1;
      throw error;
    }
    return entry.cache.list();
  }

  async recordHeartbeat(trialId: number): Promise<void> {
    await this.#driver.transaction((sql) => this.#beat(sql, trialId));
  }

  async #beat(sql: Sql, trialId: number): Promise<void> {
    await sql.all(
      "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (?, CURRENT_TIMESTAMP) " +
        "ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat",
      [trialId],
    );
  }

  async staleTrialIds(studyId: number, graceSeconds: number): Promise<number[]> {
    const rows = await this.#driver.all(
      "SELECT t.trial_id FROM trials t JOIN trial_heartbeats h ON h.trial_id = t.trial_id " +
        `WHERE t.study_id = ? AND t.state = 'RUNNING' AND ${this.#driver.dialect.olderThanSeconds("h.heartbeat")}`,
      [studyId, graceSeconds],
    );
    return rows.map((row) => Number(row.trial_id));
  }

  async close(): Promise<void> {
    await this.#driver.close();
  }

  async #checkStudy(sql: Sql, studyId: number, locked = this.#driver.dialect.forUpdate): Promise<void> {
    const [row] = await sql.all(`SELECT study_id FROM studies WHERE study_id = ?${locked}`, [studyId]);
    if (row === undefined) throw new EntailError("data", `${this.#place}: there is no study with id ${studyId}`);
  }

  async #stateOf(sql: Sql, trialId: number): Promise<{ state: TrialState; studyId: number; number: number }> {
    const { forUpdate } = this.#driver.dialect;
    const select = `SELECT state, study_id, number FROM trials WHERE trial_id = ?${forUpdate}`;
    const [row] = await sql.all(select, [trialId]);
    if (row === undefined) throw new EntailError("data", `${this.#place}: there is no trial with id ${trialId}`);
    const studyId = Number(row.study_id);
    this.#studyOfTrial.set(trialId, studyId);
    return { state: row.state as TrialState, studyId, number: Number(row.number) };
  }

  /** Parameters are stored only when the domains of all are known to fit. */
  async #writeChanges(sql: Sql, trialId: number, studyId: number, changes: TrialChanges): Promise<void> {
    for (const param of changes.params ?? []) await this.#checkDomain(sql, studyId, param);
    await insertChanges(sql, trialId, changes);
  }

  async #checkDomain(sql: Sql, studyId: number, param: StoredParam): Promise<void> {
    const { domains } = this.#cacheOf(studyId);
    let domain = domains.get(param.name);
    if (domain === undefined) {
      // Two that store a parameter for the first time must not each take theirs for the first.
      await this.#checkStudy(sql, studyId);
      const [first] = await sql.all(
        "SELECT p.distribution_json FROM trials t JOIN trial_params p ON p.trial_id = t.trial_id " +
          "WHERE t.study_id = ? AND p.param_name = ? ORDER BY t.trial_id LIMIT 1",
        [studyId, param.name],
      );
      if (first !== undefined) domains.set(param.name, domain = distributionFromJson(String(first.distribution_json)));
    }
    if (domain !== undefined) checkCompatible(param.name, domain, param.distribution);
  }

  #cacheOf(studyId: number): StudyCache {
    let entry = this.#caches.get(studyId);
    if (entry === undefined) {
      entry = { cache: new TrialCache(), domains: new Map(), epoch: -1 };
      this.#caches.set(studyId, entry);
    }
    return entry;
  }

  #markChanged(trialId: number): void {
    const studyId = this.#studyOfTrial.get(trialId);
    if (studyId !== undefined) this.#cacheOf(studyId).cache.markChanged([trialId]);
  }

  /** A trial that has just been created or claimed here. */
  async #readNew(trialId: number, studyId: number): Promise<FrozenTrial> {
    this.#studyOfTrial.set(trialId, studyId);
    this.#markChanged(trialId);
    const [trial] = await this.#complete(await this.#trialRows([trialId]));
    return trial;
  }

  /** An error of rows that cannot be read, with the database and the study in front. */
  #placed(error: unknown, studyName: unknown): unknown {
    if (!(error instanceof EntailError)) return error;
    return new EntailError("data", `${this.#place}: study ${studyName}, ${error.message}`, { cause: error });
  }

  async #trialRows(trialIds: readonly number[]): Promise<SqlRow[]> {
    const condition = this.#driver.dialect.inJsonList("trial_id");
    return await this.#driver.all(`SELECT * FROM trials WHERE ${condition}`, [JSON.stringify(trialIds)]);
  }

  /** Reads the details of trials whose rows were read before: what a finished row promises is then there. */
  async #complete(rows: readonly SqlRow[]): Promise<FrozenTrial[]> {
    if (rows.length === 0) return [];
    for (const row of rows) this.#studyOfTrial.set(Number(row.trial_id), Number(row.study_id));
    const complete = await withDetails(this.#driver, rows);
    try {
      return complete.map(trialFromRows);
    } catch (error) {
      const [study] = await this.#driver.all("SELECT study_name FROM studies WHERE study_id = ?", [rows[0].study_id]);
      throw this.#placed(error, study?.study_name);
    }
  }
}
