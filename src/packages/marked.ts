/** Markdown of reports to HTML. */
export { Marked } from "npm:marked@18.2.1";
