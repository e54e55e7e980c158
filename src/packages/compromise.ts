/** Parts of speech, and inflected forms of words. */
export { default } from "npm:compromise@14.17.0/two";
