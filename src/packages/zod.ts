/** Checks of what files and users say, by schemas. */
export { z } from "npm:zod@4.6.7";
