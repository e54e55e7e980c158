/** The live page in a browser, as somebody looks at it. PICTURES=DIR keeps a picture of each view. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type DashboardOptions, serveDashboard } from "../../src/dashboard/server.ts";
import { openStorage } from "../../src/studies/open_storage.ts";
import { type Browser, openBrowser, type Page } from "../support/browser.ts";
import { start } from "../support/command_line.ts";
import { inTemporaryFolder, writeRunData } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

const browser: Browser = await openBrowser();
Deno.test.afterAll(() => browser.close());

async function withPage(options: Partial<DashboardOptions>, use: (page: Page, base: string) => Promise<void>) {
  const server = serveDashboard({ host: "127.0.0.1", port: 0, token: null, storages: [], runs: [], ...options });
  const page = await browser.newPage();
  try {
    await use(page, `http://127.0.0.1:${server.port}`);
    assert.deepEqual(page.problems, []);
  } finally {
    await page.close();
    await server.close();
  }
}

/** Ends a command that may have ended by itself. */
async function ended(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has.
  }
  await child.output();
}

const NAME = "a study/of ? é #% <b>x</b>";
const STUDY = `/#/study/0/${encodeURIComponent(NAME)}`;
const float = (low: number, high: number, log = false) => ({ kind: "float", low, high, log, step: null }) as const;
const choice = { kind: "categorical", choices: ["linear", "cosine"] } as const;

/** Trials 0 to 119, of which each third was pruned, 7 has failed and 119 runs; the best is 118. */
async function writeStudy(url: string): Promise<void> {
  const storage = await openStorage(url);
  const { studyId } = (await storage.createStudy(NAME, ["maximize"]))!;
  for (let i = 0; i < 120; i++) {
    const state = i === 119 ? "RUNNING" : i === 7 ? "FAIL" : i % 3 === 0 ? "PRUNED" : "COMPLETE";
    const value = state === "PRUNED" ? 0.1 + i / 1000 : i === 4 ? -Infinity : 0.5 + i / 400;
    await storage.createTrial(studyId, {
      state,
      ...(state === "COMPLETE" || state === "PRUNED" ? { values: [value] } : {}),
      params: [
        { name: "learning_rate", internal: 1e-6 * 1.05 ** i, distribution: float(1e-6, 1e-2, true) },
        { name: "a_parameter_with_quite_a_long_name", internal: (i * 7 % 120) / 120, distribution: float(0, 1) },
        { name: "schedule", internal: i % 2, distribution: choice },
      ],
      intermediateValues: [[1, value / 2], [2, NaN], [3, value]],
      userAttrs: state === "FAIL"
        ? { fail_reason: "<img src=x> the loss is no number" }
        : { device_busy: 0.5, worker: "w" },
      datetimeStart: new Date(2026, 0, 1, 0, i),
      ...(state === "RUNNING" ? {} : { datetimeComplete: new Date(2026, 0, 1, 0, i, 30) }),
    });
  }
  await storage.close();
}

/** Rows of the table below the best one, as numbers of trials. */
const shownTrials = (page: Page): Promise<number[]> =>
  page.read("[...document.querySelectorAll('.trials tbody:not(.best) tr')].map((row) => Number(row.dataset.trial))");

const TABLE_READY = "document.querySelectorAll('.trials tbody tr').length > 1";
const label = (title: string) =>
  `[...document.querySelectorAll('section')].find((section) => section.querySelector('h2')?.textContent === '${title}')` +
  "?.querySelector('[role=img]')?.getAttribute('aria-label')";

/** What is there to be used or looked at and has no name. */
const UNNAMED = `[...document.querySelectorAll("button, input, select, a, [role=img], progress, meter")]
  .filter((each) => !(each.innerText || each.ariaLabel)?.trim() && !each.closest("[hidden]"))
  .map((each) => each.outerHTML)`;

Deno.test("dashboard in a browser: trials are sorted, filtered, turned over and chosen, the best stays in view", async () => {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    await writeStudy(url);
    await withPage({ storages: [url] }, async (page, base) => {
      await page.look({});
      await page.open(`${base}/`);
      await page.click("td.name a");
      await page.until(TABLE_READY);
      assert.equal(await page.read("document.querySelector('h1').textContent"), NAME);
      const best = "document.querySelector('.trials tbody.best tr').innerText.replace(/\\s+/g, ' ')";
      assert.match(await page.read(best), /^★ 118 complete 0\.7950 /);
      assert.deepEqual((await shownTrials(page)).slice(0, 3), [119, 118, 117]);

      await page.click(".trials th:nth-child(3) button");
      assert.deepEqual((await shownTrials(page)).slice(0, 3), [4, 0, 3]);
      await page.click(".trials th:nth-child(3) button");
      assert.deepEqual((await shownTrials(page)).slice(0, 3), [118, 116, 115]);
      assert.equal(await page.read("document.querySelector('th[aria-sort]').ariaSort"), "descending");
      assert.match(await page.read("document.activeElement.textContent"), /^value/);
      await page.click(".controls button:last-child");
      assert.match(
        await page.read("document.querySelector('.controls output').textContent"),
        /^51 to 100 of 120 trials$/,
      );

      await page.click("input[type=search]");
      await page.type("learning_rate<1.1e-6 cosine");
      assert.deepEqual(await shownTrials(page), [1]);
      await page.read("document.querySelector('input[type=search]').value = ''");
      await page.type("value>=0.79");
      assert.deepEqual(await shownTrials(page), [118, 116]);
      await page.read("document.querySelector('input[type=search]').value = ''");
      await page.read(
        "(() => { const all = document.querySelector('select'); all.value = 'fail'; all.dispatchEvent(new Event('change')) })()",
      );
      await page.type(" ");
      assert.deepEqual(await shownTrials(page), [7]);
      await page.click(".trials tbody:not(.best) tr");
      await page.until("document.querySelector('dl.details')?.innerText.includes('<img src=x> the loss is no number')");

      assert.match(await page.read(label("Curves")), /trial 119 \(running\) 0\.7975 at step 3/);
      assert.match(await page.read(label("History")), /117 trials, the best 0\.7950/);
      assert.match(await page.until("document.querySelector('.bars')?.innerText"), /learning_rate/);
      assert.match(await page.read("document.querySelector('.facts').innerText"), /status\s+running/);
    });
  });
});

Deno.test("dashboard in a browser: every view is whole at 1280 and 390 pixels, light and dark", async () => {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    await writeStudy(url);
    await writeRunFiles(join(folder, "runs", "first"));
    await writeRunFiles(join(folder, "runs", "second_with_a_longer_name"), { shift: 0.5, unfinished: [2] });
    await withPage({ storages: [url], runs: [join(folder, "runs")] }, async (page, base) => {
      const names: string[] = await (await fetch(`${base}/api/runs`)).json().then((runs) =>
        runs.map(({ run }: { run: string }) => run).sort()
      );
      const [first, second] = names.map(encodeURIComponent);
      const views: [name: string, path: string, ready: string][] = [
        ["overview", "/#/", "document.querySelectorAll('tbody tr').length === 3"],
        ["study", STUDY, `${TABLE_READY} && document.querySelector('.bars') !== null`],
        ["run", `/#/run/${second}`, label("Loss")],
        ["compare", `/#/compare/${first}/${second}`, "document.querySelectorAll('table').length >= 2"],
        ["missing", "/#/run/none", "document.querySelector('.error')"],
      ];
      await page.look({});
      await page.open(`${base}/`);
      for (const [name, path, ready] of views) {
        await page.read(`location.hash = ${JSON.stringify(path.slice(2))}`);
        await page.until(ready);
        for (const [width, dark] of [[1280, false], [1280, true], [390, true], [390, false]] as const) {
          await page.look({ width, dark });
          const what = `${name}_${width}_${dark ? "dark" : "light"}`;
          const paper = await page.read<string>("getComputedStyle(document.body).backgroundColor");
          assert.equal(paper, dark ? "rgb(13, 17, 23)" : "rgb(255, 255, 255)", what);
          await page.read("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
          assert.ok(await page.read("document.documentElement.scrollWidth <= innerWidth"), `${what} is too wide`);
          assert.deepEqual(await page.read(UNNAMED), [], what);
          const pictures = Deno.env.get("PICTURES");
          if (pictures) await Deno.writeFile(join(pictures, `${what}.png`), await page.picture());
        }
      }
    });
  });
});

Deno.test("dashboard in a browser: runs are chosen and compared, reports open, a token leaves the address", async () => {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    await writeStudy(url);
    await writeRunFiles(join(folder, "runs", "first"));
    await writeRunFiles(join(folder, "runs", "second"), { shift: 0.5 });
    const options = { storages: [url], runs: [join(folder, "runs")], host: "0.0.0.0", token: "a/b+c" };
    await withPage(options, async (page, base) => {
      await page.open(`${base}/?token=${encodeURIComponent("a/b+c")}`);
      await page.until("document.querySelectorAll('input[type=checkbox]').length === 2");
      assert.equal(await page.read("location.search"), "");
      for (const nth of [1, 2]) await page.click(`tr:nth-child(${nth}) input[type=checkbox]`);
      await page.click("button.button");
      await page.until("document.body.innerText.includes('McNemar')");
      for (
        const path of [
          `/report/study/${encodeURIComponent(NAME)}`,
          `/report/run/${encodeURIComponent(join(folder, "runs", "first"))}`,
        ]
      ) {
        await page.open(base + path);
        await page.until("document.querySelector('h2')");
      }
    });
  });
});

Deno.test("dashboard in a browser: the curve of a running trial grows while hpo trains it", async () => {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    const hpo = start([
      "hpo",
      "--n-trials",
      "1",
      ...writeRunData(folder),
      `hpo.storage=${url}`,
      "hpo.study_name=live",
      "hpo.hpo_mode.mode=single_split",
      "hpo.hpo_mode.validation_fraction=0.5",
      "hpo.search_space.target_effective_batch_size.choices=[8]",
      "hpo.pruner.type=none",
      "training.num_epochs=400",
    ]);
    try {
      await withPage({ storages: [url] }, async (page, base) => {
        await page.look({});
        await page.open(`${base}/#/study/0/live`);
        const step = `Number(/trial 0 \\(running\\) \\S+ at step (\\d+)/.exec(${label("Curves")})?.[1])`;
        const before = await page.until<number>(step, 60);
        const drawn = "document.querySelectorAll('canvas')[0].toDataURL()";
        const picture = await page.read(drawn);
        await page.until(`${step} > ${before + 2}`, 30);
        assert.notEqual(await page.read(drawn), picture);
        assert.match(await page.read("document.querySelector('tbody').innerText"), /^0\s/);
        hpo.kill("SIGINT");
        await page.until("document.querySelector('.trials tbody:not(.best) tr')?.innerText.includes('fail')", 30);
      });
    } finally {
      await ended(hpo);
    }
  });
});

Deno.test("dashboard in a browser: a run is seen to train, and what its device does", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const train = start(["train", ...writeRunData(folder), "training.num_epochs=400"]);
    try {
      await withPage({ runs: [folder] }, async (page, base) => {
        await page.open(`${base}/`);
        await page.until("document.querySelector('tbody .badge')?.textContent === 'running'", 60);
        await page.click("td.name a");
        const loss = label("Loss");
        const before = await page.until<string>(`/fold 0/.test(${loss}) && ${loss}`, 30);
        await page.until(`${loss} !== ${JSON.stringify(before)}`, 30);
        await page.until(
          "/time left, at most\\s+\\d+.*device busy\\s+[\\d.]+ %.*device memory\\s+\\d+ MiB/s" +
            ".test(document.querySelector('.facts').innerText)",
          30,
        );
        train.kill("SIGINT");
        await page.until("document.querySelector('.facts .badge').textContent === 'stopped'", 30);
        assert.equal(await Deno.stat(join(run, "live.json")).catch(() => null), null);
      });
    } finally {
      await ended(train);
    }
  });
});
