/** Reports in a browser, as somebody explores them. PICTURES=DIR keeps a picture of each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { writeRunReport } from "../../src/report/run/run_report.ts";
import { writeStudyReport } from "../../src/report/study/study_report.ts";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import { type Browser, openBrowser, type Page } from "../support/browser.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

const browser: Browser = await openBrowser();
Deno.test.afterAll(() => browser.close());

const PICTURES = Deno.env.get("PICTURES");
const LOOKS = [1280, 390].flatMap((width) => [false, true].map((dark) => ({ width, dark })));

const float = (low: number, high: number) => ({ kind: "float", low, high, log: false, step: null }) as const;
const SCHEDULES = ["linear", "cosine_with_restarts"];

/** Trials 0 to 59: each fourth was pruned, 7 came to -1e9; the larger x, the better. */
async function writeStudy(folder: string): Promise<void> {
  const storage = new MemoryStorage();
  const studyName = "<b>a study</b>";
  const { studyId } = (await storage.createStudy(studyName, ["maximize"]))!;
  for (let i = 0; i < 60; i++) {
    const x = (i * 7 % 60) / 60;
    const value = i === 7 ? -1e9 : 0.5 + x / 4;
    await storage.createTrial(studyId, {
      state: i % 4 === 0 ? "PRUNED" : "COMPLETE",
      values: [value],
      params: [
        { name: "x", internal: x, distribution: float(0, 1) },
        { name: "another_parameter_with_a_long_name", internal: (i * 11 % 60) / 60, distribution: float(0, 1) },
        { name: "schedule", internal: i % 2, distribution: { kind: "categorical", choices: SCHEDULES } },
      ],
      intermediateValues: [[1, value / 2], [2, value]],
      datetimeStart: new Date(2026, 0, 1, 0, i),
      datetimeComplete: new Date(2026, 0, 1, 0, i, 50),
    });
  }
  await writeStudyReport({ storage, studyName }, folder);
}

async function withReport(folder: string, use: (page: Page) => Promise<void>): Promise<void> {
  const page = await browser.newPage();
  try {
    await page.look({});
    await page.open(`file://${join(folder, "report.html")}`);
    await page.until("document.querySelectorAll('.plot .frame').length === document.querySelectorAll('.plot').length");
    await use(page);
    assert.deepEqual(page.problems, []);
  } finally {
    await page.close();
  }
}

/** The chart of that name, which is drawn once somebody has scrolled to it. */
const chart = (name: string) => `echarts.getInstanceByDom(document.querySelector('#plot-${name} .canvas'))`;
const canvas = (name: string) => `#plot-${name} .canvas`;

async function drawn(page: Page, name: string): Promise<void> {
  await page.hover(canvas(name), [0.01, 0.01]);
  await page.until(`${chart(name)} !== undefined`);
}

/** Clicks the button of that text. */
async function press(page: Page, name: string, text: string): Promise<void> {
  await page.until(`(() => {
    const button = [...document.querySelectorAll('#plot-${name} button')].find((each) => each.textContent === '${text}');
    if (button === undefined || button.hidden) return false;
    button.id = 'pressed';
    return true;
  })()`);
  await page.click("#pressed");
  await page.read("document.getElementById('pressed').removeAttribute('id')");
}

/** Where a place on the axes is, as shares of the chart. */
const placeOf = (page: Page, name: string, point: readonly number[]): Promise<[number, number]> =>
  page.read(`(() => {
    const chart = ${chart(name)};
    const [x, y] = chart.convertToPixel({ gridIndex: 0 }, ${JSON.stringify(point)});
    return [x / chart.getWidth(), y / chart.getHeight()];
  })()`);

const extent = (name: string, axis: "xAxis" | "yAxis") =>
  `${chart(name)}.getModel().getComponent('${axis}', 0).axis.scale.getExtent()`;
const told = (name: string) => `document.querySelector('#plot-${name} .told')?.innerText`;

async function takePictures(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await page.read("dispatchEvent(new Event('beforeprint'))");
  for (const look of LOOKS) {
    await page.look(look);
    await page.read("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 300)))");
    const path = join(PICTURES, `${name}_${look.width}_${look.dark ? "dark" : "light"}.png`);
    await Deno.writeFile(path, await page.picture());
  }
  await page.look({});
}

Deno.test("a study's report in a browser: tooltips, legend, zoom, all values, other pairs, a brush", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeStudy(folder);
    await withReport(folder, async (page) => {
      await drawn(page, "history");
      // Trial 9 with its parameters, by name.
      await page.hover(canvas("history"), await placeOf(page, "history", [9, 0.5 + 3 / 60 / 4]));
      assert.match(
        await page.until(told("history")),
        /^trial 9\nstate: complete\nvalue: 0\.5125\nx: 0\.05\nanother_parameter_with_a_long_name: 0\.65\n/,
      );

      await press(page, "history", "pruned");
      assert.deepEqual(await page.read(`${chart("history")}.getOption().legend[0].selected`), {
        "best so far": true,
        complete: true,
        pruned: false,
      });
      assert.equal(await page.read("document.querySelector('#plot-history .legend').ariaPressed"), "false");

      const [low] = await page.read<number[]>(extent("history", "yAxis"));
      assert.ok(low >= 0.4, `${low}`);
      await press(page, "history", "Show all, 1 more");
      assert.ok(await page.until<boolean>(`${extent("history", "yAxis")}[0] <= -1e9`));
      // What was switched off stays so.
      assert.equal(await page.read(`${chart("history")}.getOption().legend[0].selected.pruned`), false);
      await press(page, "history", "Show all, 1 more");
      await page.until(`${extent("history", "yAxis")}[0] >= 0.4`);

      await page.drag(canvas("history"), [0.3, 0.3], [0.6, 0.6]);
      const [from, to] = await page.until<number[]>(
        `(() => { const ends = ${extent("history", "xAxis")}; return ends[0] > 5 && ends[1] < 50 && ends; })()`,
      );
      assert.ok(from < to);
      await press(page, "history", "Zoom out");
      await page.until(`${extent("history", "xAxis")}[1] >= 59`);
      await page.until(
        "[...document.querySelectorAll('#plot-history button')].find((b) => b.textContent === 'Zoom out').hidden",
      );

      await drawn(page, "rank");
      const names = `${chart("rank")}.getOption().xAxis[0].name`;
      const before = await page.read(names);
      await page.read(`(() => {
        const select = document.querySelector('#plot-rank select');
        select.selectedIndex = 2;
        select.dispatchEvent(new Event('change'));
      })()`);
      assert.notEqual(await page.read(names), before);

      await drawn(page, "parallel");
      // Along the first axis, over the upper half of the values.
      const top = await page.read<[number, number, number]>(`(() => {
        const chart = ${chart("parallel")};
        const [x, low] = chart.getModel().getComponent('parallel').coordinateSystem.dataToPoint(0, 'dim0');
        const high = chart.getModel().getComponent('parallel').coordinateSystem.dataToPoint(1, 'dim0')[1];
        return [x / chart.getWidth(), high / chart.getHeight(), (low + high) / 2 / chart.getHeight()];
      })()`);
      await page.drag(canvas("parallel"), [top[0], top[1]], [top[0], top[2]]);
      const selected = await page.until<string>("document.querySelector('#plot-parallel output').textContent");
      const [, count, of] = /^(\d+) of (\d+) trials selected: \d+, /.exec(selected)!;
      assert.equal(of, "45");
      assert.ok(Number(count) > 15 && Number(count) < 30, selected);
      await press(page, "parallel", "Select all");
      await page.until("document.querySelector('#plot-parallel output').textContent === ''");

      const html = await page.read<string>("document.querySelector('h1').innerHTML");
      assert.doesNotMatch(html, /<b>/);
      await takePictures(page, "study");
    });
  });
});

Deno.test("a run's report in a browser: curves told together, colours of a dark page, narrow screens", async () => {
  await inTemporaryFolder(async (folder) => {
    const criteria = ["A.1", "a_criterion_id_that_is_far_too_long_for_any_axis"];
    await writeRunFiles(folder, { folds: [0, 1], unfinished: [1], criteria });
    await writeRunReport(folder);
    await withReport(join(folder, "report"), async (page) => {
      await drawn(page, "loss");
      await page.hover(canvas("loss"), await placeOf(page, "loss", [2, 0.1]));
      assert.match(
        await page.until(told("loss")),
        /^epoch: 2\nfold 0, loss of steps: 0\.125\nfold 1, loss of steps: 0\.125\nfold 0, validation loss: 0\.125\n/,
      );
      const colour = `${chart("loss")}.getOption().backgroundColor`;
      assert.equal(await page.read(colour), "#ffffff");
      await page.look({ dark: true, width: 390 });
      await page.until(`${colour} === '#0d1117'`);
      assert.ok(await page.read("document.documentElement.scrollWidth <= 390"));
      await page.until(`${chart("loss")}.getWidth() < 390`);
      await takePictures(page, "run");
    });
  });
});

Deno.test("a report whose script fails shows its pictures", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeRunFiles(folder);
    await writeRunReport(folder);
    const path = join(folder, "report/report.html");
    // The policy runs nothing but what the report was written with.
    const html = Deno.readTextFileSync(path).replace(/(id="library">)[^<]*/, "$1H4sIAAAAAAAAAwMAAAAAAAAAAAA=");
    Deno.writeTextFileSync(path, html);
    const page = await browser.newPage();
    await page.open(`file://${path}`);
    await page.until("document.querySelectorAll('.plot svg').length === document.querySelectorAll('.plot').length");
    assert.ok(page.problems.length > 0);
    await page.close();
  });
});
