/** Finds passwords in PostgreSQL's password file. */
export { default } from "npm:pgpass@1.0.5";
