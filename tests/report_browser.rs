//! The report as a reader meets it, in headless Chromium; skipped, with a line that says so, where no browser is installed.

mod browser;
mod program;

use browser::{Browser, file_url};
use program::{program, succeed, unpublish};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// A sweep with a recipe whose name is a trap for whoever writes it into a page.
const SETTINGS: &str = r#"
alignment = [0.2, 0.5, 0.8]
sharing = [0.5, 1]
vocab = 8
prompts = 4
held_out = 8
steps = 6
seeds = 3
recipes = ["standard", "majority", "</script><b>%{y} & <!--"]
[recipe.'</script><b>%{y} & <!--']
extends = "one-shot"
"#;

/// The name of that recipe.
const TRAP: &str = "</script><b>%{y} & <!--";

/// Verdicts that are not all complete.
const VERDICTS: &str = r#"[
  {"claim": "standard-robust", "rung": "sims", "verdict": "holds", "margin": 0.25, "low": 0.2, "high": 0.3, "counterexample": {"verdict": "fails", "margin": -0.1}},
  {"claim": "</script><i>x", "verdict": "fails", "margin": -0.5}
]"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), SETTINGS).unwrap();
    succeed(folder.path(), "sweep --config settings.toml --no-figures --out run");
    std::fs::create_dir(folder.path().join("verified")).unwrap();
    std::fs::write(folder.path().join("verified/verdicts.json"), VERDICTS).unwrap();
    folder
}

/// y values of the line called `name` in a chart.
fn line(chart: &str, name: &str) -> String {
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    format!("JSON.stringify(document.getElementById('chart-{chart}').data.filter(t => t.name === {name:?}).map(t => t.y))")
}

/// What is drawn where the reader's hands are: names in the first chart, curves of standard RL below.
fn drawn(browser: &mut Browser) -> [String; 4] {
    let names = "JSON.stringify(document.getElementById('chart-knob').data.map(t => t.name).filter(n => n))";
    let rows = "JSON.stringify(document.getElementById('chart-map').data[0].y)";
    [names, rows, &line("training", "standard"), &line("pass", "standard")].map(|expression| browser.text(expression))
}

fn quiet(browser: &Browser, file: &str) {
    assert_eq!(browser.requests(), [file], "the file itself and nothing else");
    assert!(browser.complaints().is_empty(), "{:#?}", browser.complaints());
}

#[test]
fn a_report_opens_from_disk_and_does_what_it_offers() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = folder();
    succeed(folder.path(), "report run");
    let file = file_url(&folder.path().join("run/report.html"));
    browser.open(&file);
    what_it_says(&mut browser);
    toggles(&mut browser);
    slider(&mut browser);
    keyboard(&mut browser);
    dark(&mut browser);
    narrow(&mut browser);
    paper(&mut browser);
    quiet(&browser, &file);
}

fn what_it_says(browser: &mut Browser) {
    assert_eq!(browser.text("document.querySelector('#gains thead th:last-child').textContent"), TRAP.replace('-', "-\n"));
    assert_eq!(browser.evaluate("document.querySelectorAll('#gains tbody tr').length"), 6);
    assert_eq!(
        browser.text("document.querySelector('#recipes label:nth-of-type(3)').textContent.trim()").trim_start_matches(['■', '●']),
        TRAP
    );
    assert!(browser.text("document.getElementById('config').textContent").contains("alignment = [0.2, 0.5, 0.8]"));
    assert!(browser.text("document.getElementById('commands').textContent").contains("mta-sim sweep --config run/config.toml"));
    assert_eq!(browser.evaluate("document.querySelectorAll('.chart .main-svg').length > 4"), true, "five charts are drawn");
    assert_eq!(browser.evaluate("document.querySelectorAll('#gains b, #recipes b').length"), 0, "a name is text");
    let ticks = format!("[...document.querySelectorAll('#chart-map .ytick text')].some(t => t.textContent === {TRAP:?})");
    assert_eq!(browser.evaluate(&ticks), true, "and so it is in a chart");
    assert_ne!(browser.text(&line("knob", TRAP)), "[]", "and where plotly.js reads markup");
}

fn toggles(browser: &mut Browser) {
    let before = drawn(browser);
    assert!(before[0].contains("majority") && before[1].contains("majority"), "{before:?}");
    browser.click("#recipes label:nth-of-type(2) input");
    let without = drawn(browser);
    assert!(!without[0].contains("majority") && !without[1].contains("majority"), "{without:?}");
    browser.click("#recipes label:nth-of-type(2) input");
    assert_eq!(drawn(browser), before);
    let traces = "document.getElementById('chart-pass').data.length";
    assert_eq!(browser.evaluate(traces), 8, "base model and three recipes, a line and a band each");
    browser.click("#bands");
    assert_eq!(browser.evaluate(traces), 4);
    browser.click("#recipes button:last-of-type");
    assert_eq!(browser.evaluate(traces), 1, "the base model stays");
    browser.click("#recipes button:first-of-type");
    browser.click("#bands");
    assert_eq!(browser.evaluate(traces), 8);
    assert_eq!(drawn(browser), before);
}

fn slider(browser: &mut Browser) {
    let before = drawn(browser);
    let output = "document.querySelector('#sliders output').textContent";
    assert_eq!(browser.text(output), "0.5");
    browser.evaluate("document.querySelector('#sliders input').focus()");
    browser.press("ArrowRight", 39);
    assert_eq!(browser.text(output), "0.8");
    assert_eq!(browser.text("document.querySelector('#sliders input').getAttribute('aria-valuetext')"), "alignment 0.8");
    let after = drawn(browser);
    assert_eq!(after[0], before[0]);
    assert!(after[2] != before[2] && after[3] != before[3], "training and pass@k are those of the new place");
    let expected = "(() => { const run = JSON.parse(document.getElementById('data').textContent).sections[0].run; \
                    return JSON.stringify([run.pass_at_k.trained[4 * 3].map(e => e[0])]); })()";
    assert_eq!(after[3], browser.text(expected), "the fifth grid point is alignment 0.8, sharing 0.5");
    assert_eq!(browser.evaluate("[...document.querySelectorAll('#gains tbody tr')].findIndex(r => r.hasAttribute('aria-current'))"), 4);
}

/// Everything can be reached by the tab key, and is seen to be.
fn keyboard(browser: &mut Browser) {
    let reached = "(() => { const e = document.activeElement; return e === document.body ? '' : e.id || e.type === 'submit' || e.type === 'button' || !e.type \
                   ? e.id || e.textContent.trim().slice(0, 30) : e.type; })()";
    browser.evaluate("document.activeElement.blur(); getSelection().collapse(document.body, 0)");
    let mut seen = Vec::new();
    for _ in 0..60 {
        browser.press("Tab", 9);
        seen.push(browser.text(reached));
        let outline = browser.text("getComputedStyle(document.activeElement).outlineStyle");
        assert!(outline != "none" || seen.ends_with(&[String::new()]), "{:?} has no focus ring", seen.last());
    }
    for wanted in ["theme", "checkbox", "range", "CSV", "SVG", "Values", "Estimates, CSV", "commands"] {
        assert!(seen.iter().any(|s| s == wanted), "{wanted} is not reached: {seen:?}");
    }
    browser.evaluate("document.querySelector('#figure-pass summary').focus()");
    browser.press("Enter", 13);
    browser.until("document.querySelectorAll('#figure-pass tbody tr').length === 44");
}

fn dark(browser: &mut Browser) {
    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    let ink = "document.getElementById('chart-knob').layout.font.color";
    let light = [ground, ink].map(|e| browser.text(e));
    browser.click("#theme");
    let dark = [ground, ink].map(|e| browser.text(e));
    assert!(light[0] == "rgb(255, 255, 255)" && dark[0] != light[0] && dark[1] != light[1], "{light:?} {dark:?}");
    browser.click("#theme");
    assert_eq!([ground, ink].map(|e| browser.text(e)), light);
    browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]}));
    browser.until(&format!("{ground} === {:?}", dark[0]));
    browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"features": [{"name": "prefers-color-scheme", "value": "light"}]}));
}

/// A telephone: nothing is wider than the screen.
fn narrow(browser: &mut Browser) {
    let phone = serde_json::json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
    browser.call("Emulation.setDeviceMetricsOverride", &phone);
    browser.until("document.documentElement.scrollWidth === 390");
    browser.until("[...document.querySelectorAll('.chart')].every(c => c._fullLayout.width < 390)");
    browser.call("Emulation.clearDeviceMetricsOverride", &serde_json::json!({}));
}

fn paper(browser: &mut Browser) {
    let pdf = browser.call("Page.printToPDF", &serde_json::json!({"printBackground": true}));
    assert!(pdf["data"].as_str().is_some_and(|data| data.len() > 20_000));
    browser.until("document.getElementById('chart-knob').layout.width === undefined");
}

#[test]
fn folders_become_tabs_and_verdicts_a_table() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = folder();
    succeed(folder.path(), "report run verified --out both.html");
    let file = file_url(&folder.path().join("both.html"));
    browser.open(&file);
    assert_eq!(browser.evaluate("document.getElementById('verdicts').hidden"), true);
    browser.evaluate("document.querySelector('[role=tab]').focus()");
    browser.press("ArrowRight", 39);
    assert_eq!(browser.text("document.getElementById('name').textContent"), "verified");
    assert_eq!(browser.text("document.getElementById('sentence').textContent"), "2 verdicts: 1 hold, 1 fail, 0 undecided.");
    assert_eq!(browser.evaluate("document.getElementById('run').hidden"), true);
    let cells = browser
        .text("[...document.querySelectorAll('#verdicts tbody tr')].map(r => [...r.cells].map(c => c.textContent).join('|')).join('\\n')");
    let expected =
        "standard-robustmorecounterexample: margin -0.1, verdict fails|sims|✓ holds|0.25|[0.2, 0.3]\n</script><i>x||✗ fails|-0.5|";
    assert_eq!(cells, expected);
    quiet(&browser, &file);
}

#[test]
fn a_served_report_follows_a_running_sweep() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), SETTINGS).unwrap();
    succeed(folder.path(), "sweep --config settings.toml --no-figures --out run");
    let journal = unpublish(&folder.path().join("run"));
    let whole = std::fs::read_to_string(&journal).unwrap();
    unfinish(&folder.path().join("run"), &whole, 20);
    let mut viewer = program(folder.path()).args(["view", "run", "--no-open"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(viewer.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_string();
    browser.open(&address);
    browser.until("document.getElementById('progress').textContent.startsWith('20 of 54 ')");
    browser.click("#recipes label:nth-of-type(2) input");
    std::fs::write(&journal, &whole).unwrap();
    browser.until("document.getElementById('progress').hidden");
    assert_eq!(browser.evaluate("document.querySelector('#recipes label:nth-of-type(2) input').checked"), false, "what was set stays");
    assert!(!drawn(&mut browser)[0].contains("majority"));
    assert!(browser.complaints().is_empty(), "{:#?}", browser.complaints());
    viewer.kill().unwrap();
    viewer.wait().unwrap();
    browser.until("document.getElementById('progress').textContent.startsWith('The server does not answer')");
}

/// Makes a finished run folder one whose sweep has finished `cells` cells.
fn unfinish(run: &Path, journal: &str, cells: usize) {
    ["manifest.json", "results.parquet", "history.parquet", "summary.csv"]
        .iter()
        .for_each(|name| std::fs::remove_file(run.join(name)).unwrap());
    let kept: String = journal.split_inclusive('\n').take(cells).collect();
    std::fs::write(program::journal(run), kept).unwrap();
}
