/** Opening a storage to look at it: unlike for `hpo`, it has to be there. */
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { openStorage } from "../studies/open_storage.ts";
import { sqlitePath } from "../studies/sqlite_storage.ts";
import type { Storage, StudyRecord } from "../studies/storage.ts";

export const isSqlite = (url: string): boolean => url.startsWith("sqlite");

/** The storage of `hpo.storage`. Data error where there is none yet. */
export async function openExistingStorage(url: string | null): Promise<Storage> {
  if (url === null) {
    throw new EntailError("usage", "hpo.storage: null keeps studies in memory; name the storage of a study");
  }
  if (isSqlite(url)) {
    const path = sqlitePath(url);
    if (!await isFile(path)) {
      throw new EntailError("data", `${path}: no such file; run hpo first, or set hpo.storage`);
    }
  }
  return await openStorage(url);
}

/** Whether there is a storage that holds the study. */
export async function hasStudy({ storage: url, study_name }: Config["hpo"]): Promise<boolean> {
  if (url === null || isSqlite(url) && !await isFile(sqlitePath(url))) return false;
  const storage = await openStorage(url);
  try {
    return await storage.findStudy(study_name) !== null;
  } finally {
    await storage.close();
  }
}

const isFile = async (path: string): Promise<boolean> => (await Deno.stat(path).catch(() => null))?.isFile ?? false;

/** Whether a command line says which study it means; otherwise a storage's only one will do. */
export const namesStudy = (overrides: readonly string[]): boolean =>
  overrides.some((override) => /^\+{0,2}(hpo\.study_name|experiment_name)=/.test(override));

/**
 * The study of that name or, where nobody asked for it by name, the only one. Data error, with the names that there are,
 * where there is none.
 */
export async function existingStudy(storage: Storage, studyName: string, isNamed = true): Promise<StudyRecord> {
  const study = await storage.findStudy(studyName);
  if (study !== null) return study;
  const studies = await storage.listStudies();
  if (studies.length === 1 && !isNamed) return studies[0];
  const names = studies.map((other) => other.studyName);
  if (names.length > 8) names.splice(8, Infinity, `${names.length - 8} more`);
  throw new EntailError(
    "data",
    `hpo.study_name: no study ${studyName} in the storage, which holds ${names.join(", ") || "none"}`,
  );
}
