/** A headless Chromium, driven by its DevTools protocol: pages that are looked at, clicked and typed in. */
import assert from "node:assert/strict";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser's program. Throws, with what to install, where there is none. */
export function findChromium(): string {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of NAMES) {
      const path = `${folder}/${name}`;
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch {
        // Not here.
      }
    }
  }
  throw new Error("no Chromium: install it (Debian, Ubuntu: apt-get install chromium)");
}

export interface Page {
  open(url: string): Promise<void>;
  /** The value of an expression in the page, which may be a promise. */
  read<Value>(expression: string): Promise<Value>;
  /** Waits until an expression is truthy and returns its value; gives up after `seconds`, by saying what the page shows. */
  until<Value>(expression: string, seconds?: number): Promise<Value>;
  /** Clicks what a selector finds first, as a mouse does. */
  click(selector: string): Promise<void>;
  /** Moves the mouse over what a selector finds first, to shares of its width and height. */
  hover(selector: string, at: readonly [x: number, y: number]): Promise<void>;
  /** Drags the mouse from one such place to another. */
  drag(selector: string, from: readonly [x: number, y: number], to: readonly [x: number, y: number]): Promise<void>;
  /** Types into what has the focus. */
  type(text: string): Promise<void>;
  look(how: { width?: number; dark?: boolean }): Promise<void>;
  /** A picture of the whole page, PNG. */
  picture(): Promise<Uint8Array>;
  /** Errors and warnings of scripts, refused loads and violated policies since the page was made. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

type Message = { id?: number; method?: string; params?: Params; result?: Params; error?: Params; sessionId?: string };
// deno-lint-ignore no-explicit-any
type Params = Record<string, any>;
type Send = (method: string, params?: Params, sessionId?: string) => Promise<Params>;

export async function openBrowser(): Promise<Browser> {
  const profile = await Deno.makeTempDir();
  const args = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
  ];
  const child = new Deno.Command(findChromium(), { args: [...args, "about:blank"], stderr: "piped", stdout: "null" })
    .spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  let address: string | undefined;
  while (address === undefined) {
    const { value, done } = await lines.read();
    assert.ok(!done, `Chromium does not start: ${said}`);
    said += value;
    address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
  }
  const drained = (async () => {
    while (!(await lines.read()).done);
  })();
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const answers = new Map<number, PromiseWithResolvers<Params>>();
  const listeners = new Map<string, (message: Message) => void>();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data) as Message;
    if (message.id === undefined) return listeners.get(message.sessionId ?? "")?.(message);
    const answer = answers.get(message.id)!;
    answers.delete(message.id);
    if (message.error) answer.reject(new Error(message.error.message));
    else answer.resolve(message.result!);
  };
  let count = 0;
  const send: Send = (method, params = {}, sessionId) => {
    const answer = Promise.withResolvers<Params>();
    answers.set(++count, answer);
    socket.send(JSON.stringify({ id: count, method, params, sessionId }));
    return answer.promise;
  };
  return {
    newPage: () => newPage(send, listeners),
    async close() {
      const ended = new Promise((resolve) => socket.onclose = resolve);
      await send("Browser.close");
      await Promise.all([ended, child.status, drained]);
      await Deno.remove(profile, { recursive: true });
    },
  };
}

async function newPage(sendTo: Send, listeners: Map<string, (message: Message) => void>): Promise<Page> {
  const { targetId } = await sendTo("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await sendTo("Target.attachToTarget", { targetId, flatten: true });
  const send: Send = (method, params) => sendTo(method, params, sessionId);
  const problems: string[] = [];
  let loaded = Promise.withResolvers<void>();
  listeners.set(sessionId, ({ method, params = {} }) => {
    if (method === "Page.loadEventFired") loaded.resolve();
    if (method === "Runtime.exceptionThrown") problems.push(params.exceptionDetails.exception?.description ?? "error");
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
      problems.push(params.args.map((arg: Params) => arg.value ?? arg.description).join(" "));
    }
    if (method === "Log.entryAdded" && params.entry.level === "error") {
      problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    }
  });
  for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);

  async function read<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as Value;
  }

  async function until<Value>(expression: string, seconds = 15): Promise<Value> {
    const end = Date.now() + seconds * 1000;
    while (true) {
      const value = await read<Value>(expression);
      if (value) return value;
      if (Date.now() > end) {
        const shown = [...problems, await read("document.body.innerText")].join("\n");
        assert.fail(`${expression}\nnever came true; the page shows:\n${shown}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  const mouse = (type: string, how: Params) => send("Input.dispatchMouseEvent", { type, ...how });

  /** Scrolls there. */
  const placeOf = (selector: string, [right, down]: readonly [x: number, y: number]) =>
    until<{ x: number; y: number }>(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      if (element === null) return null;
      element.scrollIntoView({ block: "center" });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width * ${right}, y: top + height * ${down} };
    })()`);

  return {
    problems,
    read,
    until,
    async open(url) {
      loaded = Promise.withResolvers();
      await send("Page.navigate", { url });
      await loaded.promise;
    },
    async click(selector) {
      const button = { ...await placeOf(selector, [0.5, 0.5]), button: "left", clickCount: 1 };
      await mouse("mousePressed", button);
      await mouse("mouseReleased", button);
    },
    async hover(selector, at) {
      await mouse("mouseMoved", await placeOf(selector, at));
    },
    async drag(selector, from, to) {
      const [begin, end] = [await placeOf(selector, from), await placeOf(selector, to)];
      const button = { button: "left", buttons: 1, clickCount: 1 };
      await mouse("mouseMoved", begin);
      await mouse("mousePressed", { ...begin, ...button });
      for (const share of [0.25, 0.5, 0.75, 1]) {
        const [x, y] = (["x", "y"] as const).map((way) => begin[way] + share * (end[way] - begin[way]));
        await mouse("mouseMoved", { x, y, ...button });
      }
      await mouse("mouseReleased", { ...end, ...button });
    },
    async type(text) {
      await send("Input.insertText", { text });
    },
    async look({ width = 1280, dark = false }) {
      await send("Emulation.setDeviceMetricsOverride", {
        width,
        height: 900,
        deviceScaleFactor: 1,
        mobile: width < 600,
      });
      const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
      await send("Emulation.setEmulatedMedia", { features });
    },
    async picture() {
      const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: true });
      return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    },
    async close() {
      listeners.delete(sessionId);
      await sendTo("Target.closeTarget", { targetId });
    },
  };
}
