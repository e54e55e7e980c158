/** YAML 1.2, with the line and column of what is wrong. */
export { parse, parseDocument, stringify } from "npm:yaml@2.9.1";
