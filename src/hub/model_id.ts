/** A model of the hub at a revision: a branch, a tag or a commit. */
export interface ModelId {
  /** "org/name". */
  repo: string;
  revision: string;
}

const PART = "[A-Za-z0-9](?:[\\w.-]*[A-Za-z0-9_])?";
const HUB_ID = new RegExp(`^(${PART}/${PART})(?:@([\\w.+-]+(?:/[\\w.+-]+)*))?$`);

/** What `org/name` or `org/name@revision` names; null for a text that can only be a path. */
export function parseModelId(text: string): ModelId | null {
  const [, repo, revision = "main"] = HUB_ID.exec(text) ?? [];
  // The cache writes / as --, and .. would lead out of it.
  if (repo === undefined || /--|\.\./.test(repo) || revision.split("/").some((part) => /^\.+$/.test(part))) return null;
  return { repo, revision };
}

/** A revision that can never mean anything else. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** As people write it. */
export const idText = ({ repo, revision }: ModelId): string => revision === "main" ? repo : `${repo}@${revision}`;
