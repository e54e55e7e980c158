/** A dataset in MLflow's words. */
import type { DatasetOperation } from "./operations.ts";

/** The tag that says what a run did with a dataset. */
export const DATASET_CONTEXT = "mlflow.data.context";

/** MLflow has room for so much of a digest. */
const MAX_DIGEST = 36;

/** Its fields in the file store and over REST; `source` is what MLflow makes of a local file. */
export const datasetEntry = ({ name, digest, path }: Pick<DatasetOperation, "name" | "digest" | "path">) => ({
  name,
  digest: digest.slice(0, MAX_DIGEST),
  source: JSON.stringify({ uri: path }),
  source_type: "local",
});
