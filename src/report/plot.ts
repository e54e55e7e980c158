/** A chart as a report shows it. */
export interface Plot {
  /** The file's name without its ending. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen, in a sentence. */
  readonly caption: string;
  readonly svg: string;
}
