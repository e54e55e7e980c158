/** Addresses with passwords: what is shown, logged or stored is read by more people than wrote it. */

/**
 * `scheme://user` and the password behind it, up to the last `@` of the authority. A password that has `/`, `?` or `#`
 * unencoded reaches to the last `@` of all, unless it looks like a port. `sign` is what an address is made of. A scheme
 * is short, so that a long text without one is soon looked through.
 */
const credentials = (begin: string, sign: string) =>
  new RegExp(
    `${begin}([a-z][a-z\\d+.-]{0,30}://)((?:(?![/?#:[])${sign})*):` +
      `(?:(?:(?![/?#])${sign})*|(?!\\d*(?:[/?#]|$))${sign}*)@`,
    "gi",
  );

/** An address that is all of a text may hold spaces. */
const PATTERNS = [credentials("^", "[^]"), credentials("", "\\S")];

const SECRET_PARAMETER = /^[\w.-]*(passw|pwd|token|secret|api_?key)[\w.-]*(?==)/i;

const MASK = "***";

function replaceCredentials(text: string, replacement: string): string {
  return PATTERNS.reduce((result, pattern) => result.replace(pattern, replacement), text);
}

/** Changes the parameters of queries, `?name=value&name=value`; null leaves one out. */
function replaceParameters(text: string, change: (parameter: string) => string | null): string {
  return text.replace(/\?([^\s#]*)/g, (query, list: string) => {
    const parameters = list.split("&");
    if (!parameters.some((parameter) => SECRET_PARAMETER.test(parameter))) return query;
    const kept = parameters.map(change).filter((parameter) => parameter !== null);
    return kept.length === 0 ? "" : `?${kept.join("&")}`;
  });
}

/** A text as it may be shown: `user:***@host`, `?password=***`. */
export function withoutPasswords(text: string): string {
  const masked = (parameter: string) => parameter.match(SECRET_PARAMETER)?.[0].concat(`=${MASK}`) ?? parameter;
  return replaceParameters(replaceCredentials(text, `$1$2:${MASK}@`), masked);
}

/**
 * A text as it may be stored to be read again: where there was a password, neither user nor password. Whoever reads it
 * finds them where programs look otherwise, such as MLFLOW_TRACKING_USERNAME and PGPASSWORD.
 */
export function withoutCredentials(text: string): string {
  const kept = (parameter: string) => SECRET_PARAMETER.test(parameter) ? null : parameter;
  return replaceParameters(replaceCredentials(text, "$1"), kept);
}

/** An address as it is, unless its secrets have been masked: a mask is no password, it goes. */
export const unmasked = (address: string): string =>
  address.includes(`:${MASK}@`) || address.includes(`=${MASK}`) ? withoutCredentials(address) : address;
