/** CSV as RFC 4180 has it, quoted line breaks included. */
export { CsvError, parse } from "npm:csv-parse@7.0.3/sync";
