/// <reference lib="dom" />
/** Elements, with text as text: nothing that comes from a study or a run becomes markup. */

export type Child = Node | string | number | null | false;

/** An element with attributes; `on…` are listeners, and what is null or false is left out. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, unknown> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? "" : `${value}`);
  }
  element.append(...shown(children));
  return element;
}

/** What there is of children. */
export const shown = (children: readonly Child[]): (Node | string)[] =>
  children.filter((child) => child !== null && child !== false).map((child) =>
    typeof child === "number" ? `${child}` : child
  );

/** Facts as cards: names and what there is to say; those with nothing are left out. */
export function facts(entries: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  const told = entries.filter(([, value]) => value !== null && value !== false);
  return h(
    "dl",
    { class: "facts" },
    ...told.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

export const badge = (status: string): HTMLElement => h("span", { class: `badge ${status.toLowerCase()}` }, status);

/** A table that scrolls by itself where it is too wide. */
export function table(head: readonly Child[], rows: readonly (readonly Child[])[]): HTMLElement {
  const cells = (tag: "th" | "td", row: readonly Child[]) =>
    row.map((cell, i) => h(tag, tag === "td" && i === 0 ? { class: "name" } : {}, cell));
  return h(
    "div",
    { class: "wide" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...cells("th", head))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...cells("td", row)))),
    ),
  );
}

/** A number for people; a dash for none. */
export function figure(value: number | null): string {
  if (value === null || Number.isNaN(value)) return value === null ? "–" : "NaN";
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return value === 0 || (size >= 1e-3 && size < 1e5) ? value.toFixed(4) : value.toExponential(3);
}

export const gibibytes = (bytes: number | null): string | null =>
  bytes === null
    ? null
    : bytes < 2 ** 30
    ? `${Math.round(bytes / 2 ** 20)} MiB`
    : `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Calls `draw` soon, however often it is asked to: once a frame, and no more than a few times a second. */
export function soon(draw: () => void, milliseconds = 250): () => void {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    setTimeout(() => {
      waits = false;
      draw();
    }, milliseconds);
  };
}
